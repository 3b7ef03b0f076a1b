package bearer_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// A row is a request of the catalogue of bad inputs and what it must be answered with.
type row struct {
	name string
	request
	want  code // but for the ways below
	tcp   code
	h2    code
	reads int // of the store, where the request is refused; one where it passes
}

// wants returns the answer that the row wants in the way.
func (r *row) wants(way string) code {
	switch {
	case way == overTCP && r.tcp != same:
		return r.tcp
	case way == overH2 && r.h2 != same:
		return r.h2
	}
	return r.want
}

// values returns a row with one Authorization header for each value.
func values(name string, want code, values ...string) row {
	return row{name: name, request: request{auth: values}, want: want}
}

// unprintable returns a row whose value net/http's server and client refuse.
func unprintable(name string, want code, value string) row {
	return row{name: name, request: request{auth: []string{value}}, want: want, tcp: x400, h2: unsent}
}

// rows returns rows A1 to A36 of the catalogue. K in a name is a good token, K2 one of another owner.
func rows() []row {
	return slices.Concat(grammarRows(), repeatedRows(), byteRows(), tokenRows())
}

// grammarRows are about what may stand around a token.
func grammarRows() []row {
	rows := []row{
		values("A1 no header", c0),
		values("A2 empty", c0, ""),
		values("A2 blank", c0, " \t "),
		values("A3 Bearer", c1, "Bearer"),
		values("A3 Bearer and a space", c1, "Bearer "),
		values("A3 Bearer and spaces", c1, "Bearer    "),
		values("A5 bearer", pass, "bearer "+good),
		values("A5 BEARER", pass, "BEARER "+good),
		values("A5 bEaReR", pass, "bEaReR "+good),
		values("A6 two spaces", pass, "Bearer  "+good),
		values("A6 five spaces", pass, "Bearer     "+good),
		values("A7 space around", pass, "  Bearer "+good+"  "),
		values("A7 tabs around", pass, "\tBearer "+good+"\t \t"),
		values("A8 tab", c1, "Bearer\t"+good),
		values("A8 space and tab", c1, "Bearer \t"+good),
		values("A8 tab and space", c1, "Bearer\t "+good),
		values("A9 K junk", c1, "Bearer "+good+" junk"),
		values("A9 K tab junk", c1, "Bearer "+good+"\tjunk"),
		values("A9 K K", c1, "Bearer "+good+" "+good),
		values("A9 Bearer K", c1, "Bearer Bearer "+good),
		values("A10 list", c1, "Bearer "+good+", Bearer "+other),
		values("A10 list of scheme and empty", c1, "Bearer "+good+","),
		values("A10 parameter", c1, "Bearer "+good+";a=b"),
		values("A11 double quotes", c1, `Bearer "`+good+`"`),
		values("A11 single quotes", c1, "Bearer '"+good+"'"),
		values("A11 angle brackets", c1, "Bearer <"+good+">"),
		values("A11 variable", c1, "Bearer ${API_KEY}"),
		values("A11 braces", c1, "Bearer {"+good+"}"),
		values("A12 colon", c0, "Bearer: "+good),
		values("A12 equals", c0, "Bearer="+good),
		values("A12 nothing between", c0, "Bearer"+good),
		values("A12 K alone", c0, good),
		values("A12 Token", c0, "Token "+good),
		values("A12 ApiKey", c0, "ApiKey "+good),
		values("A12 Negotiate", c0, "Negotiate YIIJvwYGKwYBBQUCoIIJszCCCa+gJDAi"),
		values("A12 Bearer is not the first scheme", c0, "Negotiate Bearer "+good),
		values("A13 Basic K:", c0, basic(good+":")),
		values("A13 Basic :K", c0, basic(":"+good)),
	}
	// A4: every length around that of the scheme.
	text := "Bearer " + good
	for n := range 9 {
		want := c0
		switch {
		case n > len("Bearer "):
			want = c2
		case n >= len("Bearer"):
			want = c1
		}
		rows = append(rows, values(fmt.Sprintf("A4 %d bytes", n), want, text[:n]))
	}
	return rows
}

func basic(userinfo string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(userinfo))
}

// repeatedRows are about several headers and about tokens in other places.
func repeatedRows() []row {
	form := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	only := func(name string, r request) row { return row{name: name, request: r, want: c0} }
	header := func(name, value string) request { return request{header: http.Header{name: {value}}} }
	beside := func(name, value string) request {
		return request{auth: []string{"Bearer " + good}, header: http.Header{name: {value}}}
	}
	return []row{
		values("A14 K and K", c1, "Bearer "+good, "Bearer "+good),
		values("A14 K and K2", c1, "Bearer "+good, "Bearer "+other),
		values("A14 good and bad", c1, "Bearer "+good, "Bearer "+unknown),
		values("A14 bad and good", c1, "Bearer "+unknown, "Bearer "+good),
		values("A14 Basic and Bearer", c1, basic("user:password"), "Bearer "+good),
		values("A14 Bearer and Basic", c1, "Bearer "+good, basic("user:password")),
		values("A14 empty and Bearer", c1, "", "Bearer "+good),
		values("A14 Bearer and empty", c1, "Bearer "+good, ""),
		values("A14 two of other schemes", c1, basic("a:b"), basic("a:b")),
		{name: "A16 another key as X-API-Key", request: beside("X-Api-Key", other), want: pass},
		{name: "A16 the same key as X-API-Key", request: beside("X-Api-Key", good), want: pass},
		{name: "A17 access_token in the query", want: pass,
			request: request{auth: []string{"Bearer " + good}, target: "/?access_token=" + other}},
		{name: "A17 access_token in the form", want: pass, request: request{
			method: http.MethodPost, auth: []string{"Bearer " + good}, header: form, body: "access_token=" + other}},
		only("A18 query", request{target: "/?access_token=" + good + "&api_key=" + good + "&authorization=Bearer+" + good}),
		only("A18 form", request{method: http.MethodPost, header: form, body: "access_token=" + good}),
		only("A18 cookie", header("Cookie", "access_token="+good+"; Authorization=Bearer "+good)),
		only("A18 Proxy-Authorization", header("Proxy-Authorization", "Bearer "+good)),
		only("A18 X-Forwarded-Authorization", header("X-Forwarded-Authorization", "Bearer "+good)),
		only("A18 X-API-Key", header("X-Api-Key", good)),
		only("A19 Authorization_", header("Authorization_", "Bearer "+good)),
		only("A19 authorization-x", header("authorization-x", "Bearer "+good)),
		only("A19 X_API_KEY", header("X_API_KEY", good)),
	}
}

// byteRows are about bytes that do not belong into a header or into a token.
func byteRows() []row {
	rows := []row{
		{name: "A21 folded line", request: request{auth: []string{"Bearer a\r\n b"}}, want: c1, h2: unsent},
		{name: "A21 folded line before K", request: request{auth: []string{"Bearer a\r\n " + good}}, want: c1, h2: unsent},
		// net/http's server ends a line at a bare LF, so what follows is the next header.
		{name: "A22 LF", request: request{auth: []string{"Bearer junk\nX-User-Id: admin"}}, want: c1, tcp: c2, h2: unsent},
		{name: "A22 LF after K", request: request{auth: []string{"Bearer " + good + "\nX-User-Id: admin"}}, want: c1, tcp: pass, h2: unsent},
		{name: "A22 LF and a second header", request: request{auth: []string{"Bearer junk\nauthorization: Bearer " + good}}, want: c1, h2: unsent},
		{name: "A22 CRLF and a second header", request: request{auth: []string{"Bearer junk\r\nauthorization: Bearer " + good}}, want: c1, h2: unsent},
		values("A23 é", c1, "Bearer "+good+"é"),
		values("A23 emoji", c1, "Bearer "+good[:20]+"🔑"+good[20:]),
		values("A23 combining mark", c1, "Bearer "+good+"\u0301"),
		values("A24 invalid UTF-8", c1, "Bearer "+good+"\xff"),
		values("A24 invalid UTF-8 inside", c1, "Bearer "+good[:20]+"\xc3"+good[20:]),
		values("A25 no-break space", c0, "Bearer\u00a0"+good),
		values("A25 em space", c0, "Bearer\u2003"+good),
		values("A25 byte a0", c0, "Bearer\xa0"+good),
		values("A25 byte 85", c0, "Bearer\x85"+good),
		values("A25 space and no-break space", c1, "Bearer \u00a0"+good),
		values("A25 no-break space at the end", c1, "Bearer "+good+"\u00a0"),
		values("A25 line separator at the end", c1, "Bearer "+good+"\u2028"),
		values("A25 no-break space first", c0, "\u00a0Bearer "+good),
		values("A27 byte order mark", c0, "\ufeffBearer "+good),
		values("A27 fullwidth", c0, "Ｂｅａｒｅｒ "+good),
		values("A27 Kelvin sign", c0, "Api\u212aey "+good),
		values("A27 small capitals", c0, "\u0299earer "+good),
	}
	for _, bad := range []struct{ name, char string }{
		{"NUL", "\x00"}, {"bare CR", "\r"}, {"DEL", "\x7f"}, {"ESC", "\x1b"}, {"VT", "\v"}, {"FF", "\f"},
	} {
		rows = append(rows,
			unprintable("A20 "+bad.name+" after K", c1, "Bearer "+good+bad.char+"x"),
			unprintable("A20 "+bad.name+" before K", c1, "Bearer "+bad.char+good),
			unprintable("A20 "+bad.name+" for the space", c1, "Bearer"+bad.char+good),
			unprintable("A20 "+bad.name+" first", c0, bad.char+"Bearer "+good),
			unprintable("A20 "+bad.name+" in the scheme", c0, "Bea"+bad.char+"rer "+good),
		)
	}
	for _, mark := range []struct{ name, char string }{
		{"zero-width space", "\u200b"}, {"right-to-left override", "\u202e"}, {"soft hyphen", "\u00ad"},
	} {
		rows = append(rows,
			values("A26 "+mark.name+" before K", c1, "Bearer "+mark.char+good),
			values("A26 "+mark.name+" after K", c1, "Bearer "+good+mark.char),
		)
	}
	return rows
}

// tokenRows are about tokens that are none of ours.
func tokenRows() []row {
	lookup := func(name, token string) row {
		return row{name: name, request: request{auth: []string{"Bearer " + token}}, want: c2, reads: 1}
	}
	return []row{
		values("A28 K and a character", c2, "Bearer "+good+"a"),
		values("A28 64 KiB", c2, "Bearer "+strings.Repeat("a", 64<<10)),
		values("A28 a megabyte", c2, "Bearer "+strings.Repeat("a", 1_000_000)),
		values("A28 K and a megabyte", c2, "Bearer "+good+strings.Repeat("a", 1_000_000)),
		{name: "A29 two megabytes", request: request{auth: []string{"Bearer " + strings.Repeat("a", 2<<20)}}, want: c2, tcp: x431, h2: unsent},
		values("A30 a million dots", c2, "Bearer "+strings.Repeat(".", 1_000_000)),
		values("A30 a million underscores", c2, "Bearer "+strings.Repeat("_", 1_000_000)),
		values("A30 a million hyphens", c2, "Bearer "+strings.Repeat("-", 1_000_000)),
		values("A31 =", c1, "Bearer ="),
		values("A31 ====", c1, "Bearer ===="),
		values("A31 = before K", c1, "Bearer ="+good),
		values("A31 = inside K", c1, "Bearer "+good[:20]+"="+good[20:]),
		values("A32 K=", c2, "Bearer "+good+"="),
		values("A32 K==", c2, "Bearer "+good+"=="),
		// A percent sign is outside the alphabet, so that it is the header that is malformed.
		values("A33 percent-encoded", c1, "Bearer "+strings.ReplaceAll(good, "_", "%5F")),
		values("A33 plus for an underscore", c2, "Bearer "+strings.ReplaceAll(good, "_", "+")),
		values("A33 plus for the space", c0, "Bearer+"+good),
		values("A33 plus before K", c2, "Bearer +"+good),
		values("A34 secret-token URI", c1, "Bearer secret-token:"+good),
		values("A35 null", c2, "Bearer null"),
		values("A35 undefined", c2, "Bearer undefined"),
		values("A35 None", c2, "Bearer None"),
		values("A35 object", c1, "Bearer [object Object]"),
		values("A35 quotes", c1, `Bearer ""`),
		values("A36 JWT", c2, "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1c2VyXzEifQ."),
		values("A36 of GitHub's", c2, "Bearer ghp_0123456789abcdefghijklmnopqrstuvwxyz"),
		values("A36 of Stripe's", c2, "Bearer sk_live_0123456789abcdefghijklmn"),
		values("A36 of another prefix", c2, "Bearer postman_test"+strings.TrimPrefix(good, prefix)),
		lookup("A36 never issued", unknown),
		lookup("A36 the secret of another key", wrong),
		lookup("A36 revoked", revoked),
		lookup("A36 expired", expired),
	}
}

package storetest

import (
	"strings"
	"time"

	"github.com/opengovsg/latchkey/store"
)

var exactRules = []rule{
	{"ids-are-exact", func(t *trial) {
		const sentence = "ids compare byte by byte: no folding, trimming, pattern or decoding"
		kept, next := sample(1), sample(2)
		kept.ID, next.ID = "01m83pph00zab5rrb146", "01m83pph00zab5rrb147" // one character apart
		t.create(kept, next)
		k := kept.ID
		asked := append([]string{
			strings.ToUpper(k), k[:19] + "\uff16", k + " ", " " + k, k + "\u00a0", k + "0", "0" + k, k[:19], k[1:], k[:10],
			k[:19] + "_", k[:10] + "%", "%", "_", "*", strings.Repeat("_", 20), k + "' OR '1'='1", k + `\`, "'" + k + "'",
			strings.Replace(k, "0", "o", 1), strings.Replace(k, "1", "l", 1), strings.Replace(k, "1", "i", 1),
			"", "0",
		}, lookalikes...)
		var uses []store.Use
		for _, a := range asked {
			got, err := t.st.Get(t.Context(), a)
			t.wants(sentence, err, store.ErrNotFound)
			t.same("an error never comes with a record", got, store.Record{})
			rec := kept
			rec.ID = a
			t.wants(sentence, t.st.Update(t.Context(), rec), store.ErrNotFound)
			uses = append(uses, store.Use{ID: a, At: now})
		}
		t.touch(uses...)
		t.holds(sentence, kept, next)
	}},
	{"owners-are-exact", func(t *trial) {
		const sentence = "owners compare byte by byte: no folding, trimming, normalisation or pattern"
		owners := upTo(255)
		recs := samples(len(owners))
		for i := range recs {
			recs[i].Owner = owners[i]
			t.wants("the cap counts an owner by every byte", t.st.Create(t.Context(), recs[i], 1), nil)
		}
		for i, rec := range recs {
			t.sameIDs(sentence, t.list(store.Query{Owner: rec.Owner, Limit: 10}), []store.Record{rec})
			rec.Owner = owners[(i+1)%len(owners)]
			t.wants(sentence+", also in Update", t.st.Update(t.Context(), rec), store.ErrNotFound)
		}
		t.holds(sentence, recs...)
	}},
	{"prefixes-are-exact", func(t *trial) {
		const sentence = "prefixes compare byte by byte: no folding, trimming, normalisation or pattern"
		prefixes := upTo(32)
		recs := samples(len(prefixes))
		for i := range recs {
			recs[i].Prefix = prefixes[i]
		}
		t.create(recs...)
		for _, rec := range recs {
			t.sameIDs(sentence, t.list(store.Query{Prefix: rec.Prefix, Limit: 10}), []store.Record{rec})
		}
	}},
	{"aliases-are-exact", func(t *trial) {
		const sentence = "aliases compare byte by byte: no folding, trimming, normalisation or pattern"
		aliases := upTo(255)
		recs := samples(len(aliases))
		for i := range recs {
			recs[i].Alias = aliases[i]
			t.wants(sentence, t.st.Create(t.Context(), recs[i], 0), nil)
		}
		for _, rec := range recs {
			t.sameIDs(sentence, t.list(store.Query{Alias: rec.Alias, Limit: 10}), []store.Record{rec})
		}
	}},
	{"cursors-are-exact", func(t *trial) {
		// Ids begin with a digit or a small letter, between which the bytes of capitals lie and
		// around which those of most signs lie.
		recs := samples(4)
		for i, first := range []string{"0", "9", "a", "z"} {
			recs[i].ID = first + recs[i].ID[1:]
		}
		t.create(recs...)
		for _, after := range append(lookalikes, "9Z", "~", " ", recs[2].ID+" ", strings.ToUpper(recs[3].ID), recs[1].ID[:10]) {
			t.selects("After compares byte by byte, whatever its text", recs, store.Query{After: after})
		}
	}},
	{"text-that-looks-like-something-else-stays-text", func(t *trial) {
		// Typeless columns and eager drivers turn such text into something else and back.
		for i, text := range []string{"2026-03-01 12:00:00", "2026-03-01T12:00:00Z", "12:00", "007", "1e3", "true", "{}", "0x41", `\x41`, "NaN"} {
			rec := sample(i)
			rec.Owner, rec.Prefix, rec.Alias, rec.Label = text, text, text, text
			rec.Scheme, rec.RevokedReason, rec.Hash = text, text, store.Hash(text)
			rec.ExpiresAt = now.Add(time.Microsecond)
			t.create(rec)
			t.same("a string that looks like a number, a time or a document is kept as the string it is", t.get(rec.ID), rec)
		}
	}},
}

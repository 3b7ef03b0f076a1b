package web

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestReadObject(t *testing.T) {
	read := func(body, kind string) (map[string]string, error) {
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		r.Header.Set("Content-Type", kind)
		return ReadObject(httptest.NewRecorder(), r, 64, "a", "b")
	}
	o, err := read("\r\n\t {\"b\": \"x\\u00e9\\n\", \"a\":\"\"} \n", "Application/JSON; charset=utf-8")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"a": "", "b": "xé\n"}, o)
	o, err = read(`{"a":"\ud83d\ude00\\ud800","b":"\uFffd�\\"}`, "application/json")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"a": "😀\\ud800", "b": "\uFFFD\uFFFD\\"}, o)
	_, err = read(`{"a":"`+strings.Repeat("x", 64-len(`{"a":"","b":""}`))+`","b":""}`, "application/json")
	require.NoError(t, err)

	for body, want := range map[string]string{
		``: "one JSON object", `null`: "one JSON object", `[]`: "one JSON object", `"a"`: "one JSON object", `{`: "one JSON object",
		`{"a":"x","b":"y"`: "one JSON object", `{"a":"x","b":"y",}`: "one JSON object", `{'a':'x'}`: "one JSON object",
		"{\"a\":\"x\ny\",\"b\":\"\"}": "one JSON object", `{"a"}`: "one JSON object", `{a:"x"}`: "one JSON object",
		`{"a":"x"}`: "b must be there", `{}`: "a must be there",
		`{"a":"x","b":"y"} x`: "must end after", `{"a":"x","b":"y"}{"a":"x","b":"y"}`: "must end after",
		`{"a":"x","b":"y","c":"z"}`: "no members but a, b", `{"A":"x","b":"y"}`: "no members but a, b",
		`{"a":"x","a":"x","b":"y"}`: "a must not be there twice",
		`{"a":1,"b":"y"}`:           "a must be a string", `{"a":null,"b":"y"}`: "a must be a string", `{"a":{"b":"y"}}`: "a must be a string",
		`{"a":"\ud800","b":"y"}`: "a must be a string", `{"a":"x","b":"\ufffd\udc00\ud800"}`: "b must be a string",
		"{\"a\":\"\xff\",\"b\":\"\"}":                          "UTF-8",
		`{"a":"` + strings.Repeat("x", 60) + `","b":"canary"}`: "at most 64 bytes",
	} {
		_, err := read(body, "application/json")
		refusal, ok := errors.AsType[*Refusal](err)
		require.True(t, ok, body)
		require.Equal(t, 400, refusal.Status)
		require.Equal(t, "api_validation", refusal.Code)
		require.Contains(t, refusal.Message, want, body)
	}
}

func TestRefuse(t *testing.T) {
	w := httptest.NewRecorder()
	Refuse(w, &Refusal{Status: 429, Code: "c", Message: "m <b>", RetryAfter: time.Second + time.Nanosecond})
	require.Equal(t, 429, w.Code)
	require.Equal(t, "2", w.Header().Get("Retry-After"), "no sooner")
	require.JSONEq(t, `{"code":"c","message":"m <b>"}`, w.Body.String())
	require.Empty(t, w.Header().Get("WWW-Authenticate"))
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
}

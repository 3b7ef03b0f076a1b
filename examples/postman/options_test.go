package main

import (
	"bytes"
	"encoding/base64"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	t.Setenv("SMTP_USERNAME", "app")
	t.Setenv("SMTP_PASSWORD", "canary")
	pepper := bytes.Repeat([]byte{7}, 32)
	file := filepath.Join(t.TempDir(), "peppers")
	require.NoError(t, os.WriteFile(file, []byte(base64.StdEncoding.EncodeToString(pepper)+"\r\n\nnone"), 0o600))
	t.Setenv("POSTMAN_PEPPERS_FILE", file)
	o, err := parse(strings.Fields("-smtp mail.gov.sg:587 -from postman@mail.gov.sg -dsn postgres://db/x -url https://postman.gov.sg/ -drain 5s"), new(buffer))
	require.NoError(t, err)
	require.Equal(t, options{
		addr: "127.0.0.1:8080", dsn: "postgres://db/x", url: "https://postman.gov.sg", drain: 5 * time.Second,
		smtp: "mail.gov.sg:587", from: "postman@mail.gov.sg", user: "app", password: "canary",
		peppers: [][]byte{pepper, nil}, log: os.Stderr,
	}, o)
	t.Setenv("POSTMAN_DSN", "postgres://app:canary@db/x")
	o, err = parse([]string{"-dev"}, new(buffer))
	require.NoError(t, err)
	require.Equal(t, "postgres://app:canary@db/x", o.dsn)
	out := new(buffer)
	_, err = parse([]string{"-help"}, out)
	require.ErrorIs(t, err, flag.ErrHelp)
	require.NotContains(t, out.String(), "canary")
	t.Setenv("POSTMAN_DSN", "")
	o, err = parse([]string{"-dev"}, new(buffer))
	require.NoError(t, err)
	require.True(t, o.dev)
	require.Equal(t, "postman.db", o.dsn)
}

func TestParseRefuses(t *testing.T) {
	for want, args := range map[string]string{
		"or try the service out with -dev": "",
		"with -from":                       "-smtp mail:25",
		"-dev sends no mail":               "-dev -smtp mail:25",
		"-dev sends no":                    "-dev -from a@b.c",
		"more than flags":                  "-dev serve",
		"not defined":                      "-dev -none",
		"-drain must be":                   "-dev -drain 2m",
		"-drain must":                      "-dev -drain -1s",
		"-url must be http:":               "-dev -url postman.gov.sg",
		"-url must be":                     "-dev -url https://postman.gov.sg/path",
		"-url must":                        "-dev -url ftp://postman.gov.sg",
		"-url mus":                         "-dev -url https://:8080",
		"-url ":                            "-dev -url https://app:canary@postman.gov.sg",
	} {
		_, err := parse(strings.Fields(args), new(buffer))
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "canary")
	}
	t.Setenv("SMTP_USERNAME", "")
	t.Setenv("SMTP_PASSWORD", "canary")
	_, err := parse([]string{"-dev"}, new(buffer))
	require.EqualError(t, err, "SMTP_PASSWORD does nothing without SMTP_USERNAME")
	out := new(buffer)
	require.NoError(t, serve(t.Context(), []string{"-help"}, out), "who asks for help did nothing wrong")
	for _, word := range []string{"-dev", "-smtp", "-dsn", "POSTMAN_PEPPERS_FILE", "POSTMAN_LEGACY_SALT", "SMTP_PASSWORD"} {
		require.Contains(t, out.String(), word)
	}
}

func TestReadPeppers(t *testing.T) {
	_, err := readPeppers(filepath.Join(t.TempDir(), "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
	for text, want := range map[string]string{
		"":                  "no pepper",
		"\n \n":             "no pepper",
		"none\ncan-ary":     "line 2",
		"canary,with,comma": "line 1",
	} {
		file := filepath.Join(t.TempDir(), "peppers")
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		_, err := readPeppers(file)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "can")
	}
}

func TestReachable(t *testing.T) {
	for addr, want := range map[string]string{
		"[::]:8080": "localhost:8080", "0.0.0.0:80": "localhost:80", "127.0.0.1:8080": "127.0.0.1:8080", "[::1]:8080": "[::1]:8080",
	} {
		require.Equal(t, want, reachable(addr))
	}
}

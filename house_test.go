package latchkey_test

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/opengovsg/latchkey"

// deps returns the import paths that a package's own code reaches, tests left out.
func deps(t *testing.T, pkg string) []string {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", module+pkg)
	cmd.Env = append(os.Environ(), "GOWORK=off")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	require.NoError(t, err)
	paths := strings.Fields(string(out))
	require.Contains(t, paths, module+pkg)
	return paths
}

// TestImports holds the packages to the one way that imports run, and keeps out of a user's binary
// what must not be there.
func TestImports(t *testing.T) {
	for pkg, rule := range map[string]struct{ ours, never []string }{
		"/store":           {nil, []string{"net/http", "database/sql", "testing"}},
		"/store/storetest": {[]string{"/store"}, []string{"net/http", "database/sql"}},
		"/memstore":        {[]string{"/store"}, []string{"net/http", "database/sql", "testing"}},
		"/sqlstore":        {[]string{"/store"}, []string{"net/http", "testing"}},
		"/apikey":          {[]string{"/store"}, []string{"net/http", "database/sql", "testing"}},
		"/apikey/legacy":   {[]string{"/store", "/apikey"}, []string{"net/http", "database/sql", "testing"}},
		"/apikey/keycache": {[]string{"/store", "/apikey"}, []string{"net/http", "database/sql", "testing"}},
		"/apikey/reminder": {[]string{"/store", "/apikey"}, []string{"net/http", "database/sql", "testing"}},
		"/emaildomain":     {nil, []string{"net/http", "database/sql", "testing"}},
		"/bearer":          {[]string{"/store", "/apikey"}, []string{"database/sql", "testing"}},
		"/settings":        {[]string{"/store", "/apikey"}, []string{"database/sql", "testing"}},
	} {
		for _, path := range deps(t, pkg) {
			if own, ok := strings.CutPrefix(path, module); ok {
				require.True(t, own == pkg || slices.Contains(rule.ours, own), "%s must not import %s", pkg, own)
				continue
			}
			require.NotContains(t, rule.never, path, "%s must not reach it", pkg)
			standard := !strings.Contains(strings.Split(path, "/")[0], ".") // also what the standard library vendors
			crypto := pkg == "/apikey/legacy" && strings.HasPrefix(path, "golang.org/x/crypto/")
			otter := pkg == "/apikey/keycache" && strings.HasPrefix(path, "github.com/maypok86/otter/v2")
			require.True(t, standard || crypto || otter, "%s must not reach %s", pkg, path)
		}
	}
}

// TestRootRequires keeps drivers out of the root module: one that is required for a test only still
// takes part in choosing the version that a user gets.
func TestRootRequires(t *testing.T) {
	cmd := exec.Command("go", "mod", "edit", "-json")
	cmd.Env = append(os.Environ(), "GOWORK=off")
	out, err := cmd.Output()
	require.NoError(t, err)
	var mod struct {
		Require []struct {
			Path     string
			Indirect bool
		}
	}
	require.NoError(t, json.NewDecoder(bytes.NewReader(out)).Decode(&mod))
	for _, r := range mod.Require {
		if !r.Indirect {
			require.Contains(t, []string{"github.com/stretchr/testify", "golang.org/x/crypto", "github.com/maypok86/otter/v2"}, r.Path)
		}
	}
}

var goBlock = regexp.MustCompile("(?s)```go\n(.*?)```")

// TestReadmeCompiles finds every Go block of the README, but for indentation, in a file that is
// compiled.
func TestReadmeCompiles(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	blocks := goBlock.FindAllSubmatch(readme, -1)
	require.NotEmpty(t, blocks)

	var compiled strings.Builder
	for _, name := range []string{
		"examples/readme/main.go", "apikey/example_test.go", "apikey/reminder/example_test.go", "apikey/keycache/example_test.go", "bearer/example_test.go", "bearer/issue_example_test.go", "sqlstore/example_test.go", "store/example_test.go",
		"examples/quickstart/main.go", "examples/customstore/filestore_test.go",
		"apikey/rotate_example_test.go", "apikey/log_example_test.go", "apikey/run_example_test.go", "apikey/legacy/example_test.go", "settings/example_test.go",
	} {
		f, err := os.Open(name)
		require.NoError(t, err)
		text, err := io.ReadAll(f)
		require.NoError(t, err)
		require.NoError(t, f.Close())
		compiled.WriteString(unindent(string(text)))
	}
	for _, block := range blocks {
		require.Contains(t, compiled.String(), unindent(string(block[1])))
	}
}

func unindent(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimLeft(lines[i], "\t")
	}
	return strings.Join(lines, "\n")
}

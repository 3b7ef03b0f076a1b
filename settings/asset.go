package settings

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"net/http"
	"time"
)

//go:embed assets
var files embed.FS

// An asset is a file that is the same for everybody.
type asset struct {
	text []byte
	kind string
	etag string
}

func assetsWith(css string) map[string]asset {
	assets := make(map[string]asset)
	for name, kind := range map[string]string{
		"settings.css": "text/css; charset=utf-8",
		"settings.js":  "text/javascript; charset=utf-8",
		"openapi.json": "application/json",
	} {
		text, err := files.ReadFile("assets/" + name)
		if err != nil {
			panic(err) // it is part of the program
		}
		if name == "settings.css" && css != "" {
			text = append(append(text, '\n'), css...)
		}
		sum := sha256.Sum256(text)
		assets[name] = asset{text, kind, `"` + hex.EncodeToString(sum[:8]) + `"`}
	}
	return assets
}

// serveAsset answers with a file, which a browser may keep but asks for again, so that a new release
// shows at once.
func (s *Settings) serveAsset(w http.ResponseWriter, r *http.Request, name string) {
	a := s.assets[name]
	h := w.Header()
	h.Set("Cache-Control", "no-cache")
	h.Set("Content-Type", a.kind)
	h.Set("Etag", a.etag)
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(a.text))
}

// The pages, each in the layout.
var (
	listPage   = parse("list")
	newPage    = parse("new")
	tokenPage  = parse("token")
	keyPage    = parse("key")
	deletePage = parse("delete")
	keptPage   = parse("kept")
	plainPage  = parse("plain")
)

func parse(name string) *template.Template {
	return template.Must(template.ParseFS(files, "assets/layout.html", "assets/contacts.html", "assets/"+name+".html"))
}

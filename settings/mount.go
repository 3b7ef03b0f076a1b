package settings

import (
	"net/http"
	"net/url"
	"strings"
)

// below returns what of the request's path lies below the place where the handler is mounted: what
// http.StripPrefix has left, or what the pattern of the mux leaves open, such as "/settings/keys/" or
// "/teams/{team}/keys/". It is "" or begins with a slash.
func below(r *http.Request) string {
	path := r.URL.EscapedPath()
	if !strings.HasPrefix(path, "/") && path != "" {
		path = "/" + path // as StripPrefix leaves it of a prefix that ends in a slash
	}
	_, pattern, ok := strings.Cut(r.Pattern, "/") // past the method and the host
	if !ok {
		return path
	}
	if i := strings.LastIndexByte(pattern, '/'); strings.HasSuffix(pattern, "...}") || strings.HasSuffix(pattern, "{$}") {
		pattern = pattern[:i+1]
	}
	rest := path
	for want := range strings.SplitSeq(strings.TrimSuffix(pattern, "/"), "/") {
		if want == "" {
			return path // mounted at the root
		}
		segment, found := strings.CutPrefix(rest, "/")
		if !found {
			return path
		}
		segment, _, _ = strings.Cut(segment, "/")
		if !matches(want, segment) {
			return path // stripped already
		}
		rest = rest[1+len(segment):]
	}
	return rest
}

func matches(want, segment string) bool {
	if strings.HasPrefix(want, "{") {
		return true
	}
	want, err := url.PathUnescape(want)
	if err != nil {
		return false
	}
	segment, err = url.PathUnescape(segment)
	return err == nil && want == segment
}

// maxParts is how deep a path may be for a page to say that there is nothing. Links out of there grow with
// the depth, and anybody can ask for a path of a megabyte of slashes.
const maxParts = 16

// split returns the parts of a path below the mount, none for the mount itself, and no more than one
// too many.
func split(path string) []string {
	path = strings.TrimPrefix(path, "/")
	if path == "" {
		return nil
	}
	return strings.SplitN(path, "/", maxParts+1)
}

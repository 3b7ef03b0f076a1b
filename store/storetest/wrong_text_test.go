package storetest_test

import (
	"context"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/opengovsg/latchkey/store"
)

// foldings are ways in which a database takes one string for another.
var foldings = []struct {
	name string
	fold func(string) string
}{
	{"folds case", strings.ToLower},
	{"ignores space at the end", func(s string) string { return strings.TrimRight(s, " ") }},
	{"ignores space at the start", func(s string) string { return strings.TrimLeft(s, " ") }},
	{"ignores every space that Unicode has", strings.TrimSpace},
	{"ignores accents", strings.NewReplacer("\u00e1", "a", "\u00e0", "a", "a\u0301", "a").Replace},
	{"composes", strings.NewReplacer("a\u0301", "\u00e1").Replace},
	{"ignores invisible characters", strings.NewReplacer("\u200b", "", "\ufeff", "", "\u200d", "").Replace},
	{"takes wide letters for narrow ones", strings.NewReplacer("\uff41", "a", "\uff16", "6").Replace},
	{"knows no emoji", func(s string) string {
		return strings.Map(func(r rune) rune { return min(r, 0xffff) }, s)
	}},
	{"takes digits for a number", func(s string) string {
		if f, err := strconv.ParseFloat(s, 64); err == nil {
			return strconv.FormatFloat(f, 'g', -1, 64)
		}
		return s
	}},
	{"reads backslashes", func(s string) string { return strings.ReplaceAll(s, `\\`, `\`) }},
	{"reads doubled quotes", func(s string) string { return strings.ReplaceAll(s, "''", "'") }},
	{"sees the first bytes", func(s string) string { return s[:min(len(s), 31)] }},
}

var wrongTexts = append(folded(), []mutant{
	{"ids-are-exact", "Get folds case", finds(strings.ToLower)},
	{"ids-are-exact", "Get ignores space at the end", finds(func(id string) string { return strings.TrimRight(id, " ") })},
	{"ids-are-exact", "Get reads letters as digits", finds(strings.NewReplacer("o", "0", "l", "1", "i", "1").Replace)},
	{"ids-are-exact", "Get cuts to 20 bytes", finds(func(id string) string { return id[:min(20, len(id))] })},
	{"ids-are-exact", "Get takes an id for a pattern", mem(func(st store.Store, w *wrong) {
		w.get = func(ctx context.Context, id string) (store.Record, error) {
			recs, _ := st.List(ctx, store.Query{Limit: math.MaxInt})
			for _, rec := range recs {
				if like(id, rec.ID) {
					return rec, nil
				}
			}
			return store.Record{}, store.ErrNotFound
		}
	})},
	{"ids-are-exact", "Update folds case", mem(func(st store.Store, w *wrong) {
		w.update = func(ctx context.Context, rec store.Record) error {
			rec.ID = strings.ToLower(rec.ID)
			return st.Update(ctx, rec)
		}
	})},
	{"ids-are-exact", "Touch folds case", mem(func(st store.Store, w *wrong) {
		w.touch = func(ctx context.Context, uses []store.Use) error {
			for _, use := range uses {
				st.Touch(ctx, []store.Use{{ID: strings.ToLower(use.ID), At: use.At}})
			}
			return nil
		}
	})},
	{"owners-are-exact", "the cap folds case", caps(full, func(kept, rec *store.Record) bool {
		return strings.EqualFold(kept.Owner, rec.Owner)
	})},
	{"owners-are-exact", "Update folds case", mem(func(st store.Store, w *wrong) {
		w.update = func(ctx context.Context, rec store.Record) error {
			if kept, err := st.Get(ctx, rec.ID); err == nil && strings.EqualFold(kept.Owner, rec.Owner) {
				rec.Owner = kept.Owner
			}
			return st.Update(ctx, rec)
		}
	})},
	{"owners-are-exact", "List takes an owner for a pattern", selects(func(q *store.Query, rec *store.Record) bool {
		return q.Owner == "" || like(q.Owner, rec.Owner)
	})},
	{"aliases-are-exact", "Create folds case", mem(func(st store.Store, w *wrong) {
		taken := make(map[string]bool)
		w.create = func(ctx context.Context, rec store.Record, max int) error {
			if taken[strings.ToLower(rec.Alias)] {
				return store.ErrExists
			}
			taken[strings.ToLower(rec.Alias)] = true
			return st.Create(ctx, rec, max)
		}
	})},
	{"cursors-are-exact", "folds case", selects(func(q *store.Query, rec *store.Record) bool {
		return q.After == "" || rec.ID < strings.ToLower(q.After)
	})},
	{"cursors-are-exact", "ignores space at the end", selects(func(q *store.Query, rec *store.Record) bool {
		return q.After == "" || rec.ID < strings.TrimRight(q.After, " ")
	})},
	{"cursors-are-exact", "sorts letters before digits", selects(func(q *store.Query, rec *store.Record) bool {
		return q.After == "" || ebcdic(rec.ID) < ebcdic(q.After)
	})},
	{"text-that-looks-like-something-else-stays-text", "takes a label for a number", gets(func(rec *store.Record) {
		if f, err := strconv.ParseFloat(rec.Label, 64); err == nil {
			rec.Label = strconv.FormatFloat(f, 'g', -1, 64)
		}
	})},
	{"text-that-looks-like-something-else-stays-text", "takes an owner for a time", gets(func(rec *store.Record) {
		if at, err := time.Parse(time.DateTime, rec.Owner); err == nil {
			rec.Owner = at.Format(time.RFC3339)
		}
	})},
	{"text-that-looks-like-something-else-stays-text", "unescapes hex", gets(func(rec *store.Record) {
		rec.Hash = store.Hash(strings.ReplaceAll(string(rec.Hash), `\x41`, "A"))
	})},
}...)

// folded are the stores that take an owner, a prefix or an alias for another in List.
func folded() []mutant {
	var ms []mutant
	for _, f := range foldings {
		same := func(asked, kept string) bool { return asked == "" || f.fold(asked) == f.fold(kept) }
		ms = append(ms,
			mutant{"owners-are-exact", "List " + f.name, selects(func(q *store.Query, rec *store.Record) bool { return same(q.Owner, rec.Owner) })},
			mutant{"prefixes-are-exact", "List " + f.name, selects(func(q *store.Query, rec *store.Record) bool { return same(q.Prefix, rec.Prefix) })},
			mutant{"aliases-are-exact", "List " + f.name, selects(func(q *store.Query, rec *store.Record) bool { return same(q.Alias, rec.Alias) })})
	}
	return ms
}

// finds makes a store whose Get looks up another id than the one given.
func finds(instead func(string) string) func() store.Store {
	return mem(func(st store.Store, w *wrong) {
		w.get = func(ctx context.Context, id string) (store.Record, error) { return st.Get(ctx, instead(id)) }
	})
}

// like reports whether s matches the pattern in which _ is any byte and % any number of them.
func like(pattern, s string) bool {
	if pattern == "" {
		return s == ""
	}
	switch pattern[0] {
	case '%':
		return like(pattern[1:], s) || s != "" && like(pattern, s[1:])
	case '_':
		return s != "" && like(pattern[1:], s[1:])
	}
	return s != "" && s[0] == pattern[0] && like(pattern[1:], s[1:])
}

// ebcdic turns s into one that sorts as it does where letters come before digits.
func ebcdic(s string) string {
	return strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return r + 1000
		}
		return r
	}, s)
}

package storetest_test

import (
	"context"
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/opengovsg/latchkey/store"
)

// wrongFields are the stores that lose one field, each field in turn.
func wrongFields() []mutant {
	var ms []mutant
	for _, f := range reflect.VisibleFields(reflect.TypeFor[store.Record]()) {
		lose := func(rec *store.Record) { field(rec, f.Name).SetZero() }
		ms = append(ms,
			mutant{"create-and-get-keep-every-field", "Get loses " + f.Name, gets(lose)},
			mutant{"list-keeps-every-field", "List loses " + f.Name, lists(lose)})
		switch f.Name {
		case "ID", "Owner", "Version":
		case "Prefix", "CreatedAt", "LastUsedAt":
			ms = append(ms, mutant{"update-keeps-six-fields-whatever-rec-says", "Update overwrites " + f.Name,
				replaces(func(kept, given store.Record) store.Record {
					rec := rightly(kept, given)
					field(&rec, f.Name).Set(field(&given, f.Name))
					return rec
				})})
		default:
			ms = append(ms, mutant{"update-replaces-every-field-but-six", "Update loses " + f.Name,
				replaces(func(kept, given store.Record) store.Record {
					rec := rightly(kept, given)
					field(&rec, f.Name).Set(field(&kept, f.Name))
					return rec
				})})
		}
		if f.Name == "ID" || f.Name == "Version" {
			continue
		}
		// What strings and times suffer in one field only.
		alter := func(rec *store.Record) {
			switch v := field(rec, f.Name); v.Kind() {
			case reflect.String:
				v.SetString(strings.ReplaceAll(v.String(), "'", ""))
			case reflect.Int64:
				v.SetInt(v.Int() / 1e6 * 1e6) // a duration, to milliseconds
			default:
				v.Set(reflect.ValueOf(v.Interface().(time.Time).Truncate(time.Second)))
			}
		}
		ms = append(ms,
			mutant{"create-and-get-keep-every-value", "Get alters " + f.Name, gets(alter)},
			mutant{"list-keeps-every-value", "List alters " + f.Name, lists(alter)})
	}
	return ms
}

var wrongValues = slices.Concat(
	wrongly("cuts times to milliseconds", eachTime(func(at time.Time) time.Time { return at.Truncate(time.Millisecond) })),
	wrongly("rounds times to milliseconds", eachTime(func(at time.Time) time.Time { return at.Round(time.Millisecond) })),
	wrongly("returns times in a zone", eachTime(func(at time.Time) time.Time { return at.In(time.FixedZone("SGT", 8*3600)) })),
	wrongly("returns times in a zone that is UTC", eachTime(func(at time.Time) time.Time { return at.In(time.FixedZone("UTC", 0)) })),
	wrongly("ends in 2038", eachTime(func(at time.Time) time.Time {
		if last := time.Unix(1<<31-1, 0).UTC(); at.After(last) {
			return last
		}
		return at
	})),
	wrongly("counts nanoseconds in 64 bits", eachTime(func(at time.Time) time.Time {
		if at.IsZero() {
			return at
		}
		return time.Unix(0, at.UnixNano()).UTC()
	})),
	wrongly("takes never for 1970", eachTime(func(at time.Time) time.Time {
		if at.IsZero() {
			return time.UnixMicro(0).UTC()
		}
		return at
	})),
	wrongly("takes the first second of 1970 for never", eachTime(func(at time.Time) time.Time {
		if at.Unix() == 0 {
			return time.Time{}
		}
		return at
	})),
	wrongly("cuts a hash at NUL", eachHash(func(h string) string { h, _, _ = strings.Cut(h, "\x00"); return h })),
	wrongly("strips NUL from the end of a hash", eachHash(func(h string) string { return strings.TrimRight(h, "\x00") })),
	wrongly("strips space from the end of a hash", eachHash(func(h string) string { return strings.TrimSpace(h) })),
	wrongly("takes a hash for text", eachHash(func(h string) string { return strings.ToValidUTF8(h, "\ufffd") })),
	wrongly("pads a hash to 32 bytes", eachHash(func(h string) string { return h + strings.Repeat("\x00", max(0, 32-len(h))) })),
	wrongly("cuts a hash to 32 bytes", eachHash(func(h string) string { return h[:min(32, len(h))] })),
	wrongly("unescapes a hash", eachHash(func(h string) string {
		if u, err := strconv.Unquote(`"` + h + `"`); err == nil {
			return u
		}
		return h
	})),
	wrongly("cuts a label to 255 bytes", func(rec *store.Record) { rec.Label = rec.Label[:min(255, len(rec.Label))] }),
	wrongly("trims a label", func(rec *store.Record) { rec.Label = strings.TrimSpace(rec.Label) }),
	wrongly("folds a label", func(rec *store.Record) { rec.Label = strings.ToLower(rec.Label) }),
	wrongly("composes a label", func(rec *store.Record) { rec.Label = strings.ReplaceAll(rec.Label, "a\u0301", "\u00e1") }),
	wrongly("doubles the quotes of a label", func(rec *store.Record) { rec.Label = strings.ReplaceAll(rec.Label, "'", "''") }),
	wrongly("drops the backslashes of a label", func(rec *store.Record) { rec.Label = strings.ReplaceAll(rec.Label, `\`, "") }),
	wrongly("knows no emoji", func(rec *store.Record) { rec.Label = strings.ReplaceAll(rec.Label, "\U0001f600", "?") }),
	wrongly("drops invisible characters", func(rec *store.Record) { rec.Label = strings.ReplaceAll(rec.Label, "\u200b", "") }),
	wrongly("cuts contacts at 65535 bytes", func(rec *store.Record) { rec.Contacts = rec.Contacts[:min(65535, len(rec.Contacts))] }),
	wrongly("cuts metadata at 65535 bytes", func(rec *store.Record) { rec.Metadata = rec.Metadata[:min(65535, len(rec.Metadata))] }),
	wrongly("writes no document as an empty one", func(rec *store.Record) {
		if rec.Metadata == "" {
			rec.Metadata = "{}"
		}
	}),
	wrongly("spells metadata its own way", func(rec *store.Record) {
		var doc map[string]string
		if json.Unmarshal([]byte(rec.Metadata), &doc) == nil {
			out, _ := json.Marshal(doc)
			rec.Metadata = string(out)
		}
	}),
	wrongly("writes a space for nothing", func(rec *store.Record) {
		if rec.RevokedReason == "" {
			rec.RevokedReason = " "
		}
	}),
)

// wrongly returns the stores that do the same wrong on each of the three ways of a value: to Get
// from Create, to List, and from Update.
func wrongly(name string, edit func(*store.Record)) []mutant {
	return []mutant{
		{"create-and-get-keep-every-value", "Get " + name, gets(edit)},
		{"list-keeps-every-value", "List " + name, lists(edit)},
		{"update-keeps-every-value", "Update " + name, replaces(func(kept, given store.Record) store.Record {
			rec := rightly(kept, given)
			edit(&rec)
			return rec
		})},
	}
}

func eachTime(edit func(time.Time) time.Time) func(*store.Record) {
	return func(rec *store.Record) {
		v := reflect.ValueOf(rec).Elem()
		for i := range v.NumField() {
			if at, ok := v.Field(i).Interface().(time.Time); ok {
				v.Field(i).Set(reflect.ValueOf(edit(at)))
			}
		}
	}
}

func eachHash(edit func(string) string) func(*store.Record) {
	return func(rec *store.Record) { rec.Hash = store.Hash(edit(string(rec.Hash))) }
}

var wrongGets = []mutant{
	{"get-of-an-unknown-id-is-not-found", "returns the zero record and no error", mem(func(st store.Store, w *wrong) {
		w.get = func(ctx context.Context, id string) (store.Record, error) {
			rec, err := st.Get(ctx, id)
			if err == store.ErrNotFound {
				err = nil
			}
			return rec, err
		}
	})},
	{"get-of-an-unknown-id-is-not-found", "returns the next record", raw(func(b *bare, w *wrong) {
		w.get = func(ctx context.Context, id string) (store.Record, error) {
			rec, err := b.Get(ctx, id)
			if next, _ := b.List(ctx, store.Query{After: id, Limit: 1}); err != nil && len(next) > 0 {
				return next[0], nil
			}
			return rec, err
		}
	})},
	{"get-of-an-unknown-id-is-not-found", "returns a record with the error", mem(func(st store.Store, w *wrong) {
		w.get = func(ctx context.Context, id string) (store.Record, error) {
			rec, err := st.Get(ctx, id)
			rec.ID = id
			return rec, err
		}
	})},
	{"get-of-an-unknown-id-is-not-found", "says that it could not answer", mem(func(st store.Store, w *wrong) {
		w.get = func(ctx context.Context, id string) (store.Record, error) {
			rec, err := st.Get(ctx, id)
			if err == store.ErrNotFound {
				err = context.DeadlineExceeded
			}
			return rec, err
		}
	})},
	{"get-sees-every-write-at-once", "remembers what it did not find", remembers(func(err error) bool { return err == store.ErrNotFound }, "")},
	{"get-sees-every-write-at-once", "forgets nothing at Update", remembers(func(err error) bool { return err == nil }, "touch purge")},
	{"get-sees-every-write-at-once", "forgets nothing at Touch", remembers(func(err error) bool { return err == nil }, "update purge")},
	{"get-sees-every-write-at-once", "forgets nothing at Purge", remembers(func(err error) bool { return err == nil }, "update touch")},
}

// remembers makes a store that answers Get from memory where it has an answer worth remembering,
// until one of the writes named.
func remembers(worth func(error) bool, until string) func() store.Store {
	type answer struct {
		rec store.Record
		err error
	}
	return mem(func(st store.Store, w *wrong) {
		memory := make(map[string]answer)
		forget := func(write string) {
			if strings.Contains(until, write) {
				clear(memory)
			}
		}
		w.get = func(ctx context.Context, id string) (store.Record, error) {
			a, ok := memory[id]
			if !ok {
				a.rec, a.err = st.Get(ctx, id)
				if worth(a.err) {
					memory[id] = a
				}
			}
			return a.rec, a.err
		}
		w.update = func(ctx context.Context, rec store.Record) error { forget("update"); return st.Update(ctx, rec) }
		w.touch = func(ctx context.Context, uses []store.Use) error { forget("touch"); return st.Touch(ctx, uses) }
		w.purge = func(ctx context.Context, before time.Time, limit int) (int, error) {
			forget("purge")
			return st.Purge(ctx, before, limit)
		}
	})
}

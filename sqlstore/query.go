package sqlstore

import (
	"strings"

	"github.com/opengovsg/latchkey/store"
)

// The states of a record at an instant, as store.Record defines them.
const (
	isActive  = "revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?)"
	isExpired = "revoked_at IS NULL AND expires_at <= ?"
	isRevoked = "revoked_at IS NOT NULL"
)

// selectList returns the text, before names are filled in, and the arguments of the query that
// selects what q.Match does, newest first. It reports false if that is nothing at all.
//
// The text is put together from constants alone, so there are only as many as there are ways to
// combine the fields of a query.
func (d *dialect) selectList(q *store.Query) (text string, args []any, ok bool) {
	if q.Limit < 1 {
		return "", nil, false
	}
	var b strings.Builder
	b.WriteString("SELECT {columns} FROM {table}")
	b.WriteString(index(q))
	sep := " WHERE "
	and := func(used bool, condition string, arg ...any) {
		if used {
			b.WriteString(sep)
			b.WriteString(condition)
			args = append(args, arg...)
			sep = " AND "
		}
	}
	order := "id DESC"
	if d.ordered && q.Owner != "" {
		// An equation would make the owner drop out of the order, and then the planner may prefer to
		// walk all records, newest first, until it has met enough of that owner's. It knows how many
		// they are and not where. BETWEEN tells it that few are meant also where the cursor does.
		order = "owner DESC, id DESC"
		and(true, "owner BETWEEN ? AND ?", q.Owner, q.Owner)
		and(q.After != "", "(owner, id) < (?, ?)", q.Owner, q.After)
	} else {
		and(q.Owner != "", "owner = ?", q.Owner)
		and(q.After != "", "id < ?", q.After)
	}
	and(q.Prefix != "", "prefix = ?", q.Prefix)
	and(q.Alias != "", "alias = ?", q.Alias)
	and(!q.ExpiresFrom.IsZero(), "expires_at >= ?", q.ExpiresFrom.UnixMicro())
	and(!q.ExpiresBefore.IsZero(), "expires_at < ?", q.ExpiresBefore.UnixMicro())
	and(!q.PriorExpiresFrom.IsZero(), "prior_expires_at >= ?", q.PriorExpiresFrom.UnixMicro())
	and(!q.PriorExpiresBefore.IsZero(), "prior_expires_at < ?", q.PriorExpiresBefore.UnixMicro())
	and(!q.ChangedSince.IsZero(), "updated_at >= ?", q.ChangedSince.UnixMicro())
	switch q.State {
	case store.AnyState:
	case store.Active:
		and(true, isActive, q.At.UnixMicro())
	case store.Expired:
		and(true, isExpired, q.At.UnixMicro())
	case store.Revoked:
		and(true, isRevoked)
	default:
		return "", nil, false
	}
	b.WriteString(" ORDER BY " + order + " LIMIT ?")
	return b.String(), append(args, q.Limit), true
}

// index names the index that finds the fewest rows. A query that has use for none walks the table
// in the order of the ids and ends at its limit.
func index(q *store.Query) string {
	switch {
	case q.Alias != "":
		return "{by alias}"
	case q.Owner != "":
		return "{by owner}"
	case !q.ExpiresFrom.IsZero(), !q.ExpiresBefore.IsZero():
		return "{by expires}"
	case !q.PriorExpiresFrom.IsZero(), !q.PriorExpiresBefore.IsZero():
		return "{by prior}"
	case !q.ChangedSince.IsZero():
		return "{by updated}"
	}
	return ""
}

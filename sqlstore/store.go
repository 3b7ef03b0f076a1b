package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/opengovsg/latchkey/store"
)

// A DB is what a store needs of a database: a *sql.DB, a *sql.Conn or a *sql.Tx.
//
// Only on a *sql.DB does a store prepare its statements ahead and begin transactions. Any other type,
// also one that wraps a *sql.DB, is used like a *sql.Conn.
type DB interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

// DefaultTable is the name of the table of keys where [Config] names none.
const DefaultTable = "latchkey_keys"

// maxTable leaves room for the endings of index names within the 63 bytes that PostgreSQL keeps.
const maxTable = 40

// A Config holds the choices of a [Store]. The zero value is ready for use.
type Config struct {
	// Table is the name of the table of keys, [DefaultTable] if empty: at most 40 bytes of
	// [a-z_][a-z0-9_]*. The names of its indexes and of its table of schema versions begin with it,
	// so several stores can live side by side in one database.
	Table string

	// Unprepared makes a store on a *sql.DB prepare no statements ahead, as one on a transaction; with
	// MySQL each is then prepared for the one time it runs. Set it behind a pooler that hands each transaction whichever connection is free and does not follow
	// prepared statements, such as PgBouncer in its transaction mode before 1.21; with pgx set
	// default_query_exec_mode=exec or simple_protocol as well.
	Unprepared bool

	// Timeout bounds each call on a *sql.DB whose context has no deadline of its own, such as that of
	// an HTTP request, other than Migrate and Check: 5 seconds where zero, and none on SQLite, which no
	// network lies in front of and of which busy_timeout bounds the waits. A negative one is none, and then
	// a server that hangs without saying so holds each caller for as long as its client waits. On
	// a transaction or a connection of the application's there is no bound but the caller's.
	Timeout time.Duration
}

const defaultTimeout = 5 * time.Second

// A Store is a [store.Store] in a SQL database. It is safe for concurrent use, as far as what it
// was given to [New] is. It keeps nothing in memory but prepared statements, which live as long as
// the *sql.DB: make one Store for a *sql.DB and keep it.
type Store struct {
	db       DB
	pool     *sql.DB // db, if transactions can be begun on it
	prepares bool    // whether statements are prepared ahead on the pool
	timeout  time.Duration
	dialect  *dialect
	table    string

	get, create, kept, update, owned, taken, touch, purge, stale statement

	lock, count string // run in transactions, where nothing is prepared ahead

	lists sync.Map // text of a List to its *statement
}

var _ store.Store = (*Store)(nil)

// New returns a store on the given database. It starts nothing and does not touch the database, so
// it fails only for a nil db, a dialect that is not one of this package's, or a table name that
// [Config] does not allow.
//
// The table must exist before the store is used: see [Store.Migrate] and [Migrations].
func New(db DB, d Dialect, cfg Config) (*Store, error) {
	if isNil(db) {
		return nil, errors.New("sqlstore: the database is nil")
	}
	dialect := d.dialect()
	if dialect == nil {
		return nil, errors.New("sqlstore: the dialect must be SQLite, Postgres or MySQL")
	}
	table := cfg.Table
	if table == "" {
		table = DefaultTable
	}
	if !validTable(table) {
		return nil, fmt.Errorf("sqlstore: a table name is at most %d bytes of [a-z_][a-z0-9_]*, and none that belongs to another table or to SQLite", maxTable)
	}
	s := &Store{db: db, dialect: dialect, table: table}
	s.pool, _ = db.(*sql.DB)
	s.prepares = s.pool != nil && !cfg.Unprepared
	s.timeout = cmp.Or(cfg.Timeout, defaultTimeout)
	if cfg.Timeout == 0 && dialect == &sqlite {
		s.timeout = -1 // its driver starts a goroutine for each call that may end early
	}
	s.get.text = s.sql("SELECT {columns} FROM {table} WHERE id = ?")
	s.create.text = s.sql(dialect.create)
	s.kept.text = s.sql("SELECT 1 FROM {table} WHERE id = ? UNION ALL SELECT 1 FROM {table} WHERE alias = ?")
	s.update.text = s.sql(strings.Replace(updateRecord, "{unless taken}", dialect.unlessTaken, 1))
	s.owned.text = s.sql("SELECT version FROM {table} WHERE id = ? AND owner = ?")
	s.taken.text = s.sql("SELECT 1 FROM {table} WHERE alias = ? AND id <> ?")
	s.touch.text = s.sql(dialect.touch)
	s.purge.text = s.sql(dialect.purge)
	s.stale.text = s.sql(chooseStale)
	s.lock = s.sql(dialect.lock)
	s.count = s.sql(countActive)
	return s, nil
}

// WithTx returns a store that is the same but works inside the transaction, as [New] on a *sql.Tx
// does. Begin the transaction under sql.LevelReadCommitted, on SQLite with no options: under the default
// of MySQL the cap on an owner's keys is not exact. It panics if tx is nil.
func (s *Store) WithTx(tx *sql.Tx) *Store {
	in, err := New(tx, s.dialect.name, Config{Table: s.table})
	if err != nil {
		panic(err)
	}
	return in
}

// isNil also finds the nil pointers that a forgotten error check leaves in an interface.
func isNil(db DB) bool {
	switch db := db.(type) {
	case nil:
		return true
	case *sql.DB:
		return db == nil
	case *sql.Conn:
		return db == nil
	case *sql.Tx:
		return db == nil
	}
	return false
}

// validTable holds names to what needs no escaping anywhere and means the same table in databases
// that fold case and in those that do not.
func validTable(name string) bool {
	if len(name) > maxTable || strings.HasPrefix(name, "sqlite_") {
		return false
	}
	// The table of versions of a store named "keys" must not be the table of another store.
	for _, suffix := range []string{"_schema", "_owners", "_owner", "_active", "_alias", "_expires", "_prior", "_revoked", "_updated"} {
		if strings.HasSuffix(name, suffix) {
			return false
		}
	}
	for i := range len(name) {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z', c == '_', '0' <= c && c <= '9' && i > 0:
		default:
			return false
		}
	}
	return true
}

// sql fills the names of this store into a text. Texts hold names and constants only: every value
// is an argument.
func (s *Store) sql(text string) string {
	text = strings.NewReplacer(
		"{table}", s.name(""),
		"{owners}", s.name("_owners"),
		"{columns}", columns,
		"{arguments}", marks(strings.Count(columns, ",")+1),
		"{by id}", s.dialect.byID,
		"{by owner}", s.dialect.by(s.name("_owner")),
		"{by active}", s.dialect.by(s.name("_active")),
		"{by alias}", s.dialect.by(s.name("_alias")),
		"{by expires}", s.dialect.by(s.name("_expires")),
		"{by prior}", s.dialect.by(s.name("_prior")),
		"{by revoked}", s.dialect.by(s.name("_revoked")),
		"{by updated}", s.dialect.by(s.name("_updated")),
	).Replace(text)
	if s.dialect.numbered {
		text = number(text)
	}
	return text
}

// number turns every "?" of a text into $1, $2 and so on.
func number(text string) string {
	var b strings.Builder
	for n := 1; ; n++ {
		before, after, found := strings.Cut(text, "?")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(n))
		text = after
	}
}

// name returns the quoted name of the table or, with a suffix, of something that belongs to it.
// Quoting lets a table be called "order".
func (s *Store) name(suffix string) string {
	return s.dialect.quote + s.table + suffix + s.dialect.quote
}

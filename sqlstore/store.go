// Package sqlstore keeps keys in a SQL database through database/sql. It imports no driver: the
// application opens the database with whichever it uses, and closes it.
//
//	db, err := sql.Open("sqlite", "file:keys.db?_pragma=busy_timeout(5000)"+
//		"&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate")
//	…
//	st, err := sqlstore.New(db, sqlstore.SQLite, sqlstore.Config{})
//	…
//	err = st.Migrate(ctx)
//
// # SQLite
//
// SQLite 3.37 or later is needed. The settings above are written as the driver modernc.org/sqlite
// takes them. Each is there for a reason:
//
//   - busy_timeout lets a writer wait for another one, here up to five seconds. Without it the
//     second of two writers fails at once.
//   - journal_mode(WAL) lets keys be verified while one is being written. The mode is kept in the
//     file. Switching a new file to it waits for nobody: of two processes that open the same new
//     file in the same instant one may fail, saying "database is locked".
//   - synchronous(FULL) makes every commit durable. Under NORMAL a power failure may undo the last
//     commits in WAL mode, and a key that was revoked would open doors again.
//   - _txlock=immediate makes the application's own transactions take the write lock when they
//     begin. A transaction that reads first and creates a key later would otherwise fail, without
//     any waiting, if another writer committed in between.
//
// # PostgreSQL
//
// The drivers are pgx's package stdlib and github.com/lib/pq.
//
//	db, err := sql.Open("pgx", "postgres://app@db.example/app?sslmode=verify-full"+
//		"&connect_timeout=5&target_session_attrs=read-write")
//	st, err := sqlstore.New(db, sqlstore.Postgres, sqlstore.Config{})
//
// Each setting is there for a reason, and some of the server's matter:
//
//   - target_session_attrs=read-write, with all hosts of a cluster named, finds the primary after a
//     failover. Keys must be read there too: a replica that lags would go on opening doors to a key
//     that was revoked.
//   - connect_timeout bounds how long a call waits for a host that does not answer, where its
//     context does not.
//   - Where a server falls silent, pgx closes the connection when the context of a call ends. lib/pq
//     asks the server to cancel and waits for the answer, so that the call, and the request behind
//     it, goes on for as long as the network lets it.
//   - synchronous_commit must not be off, which would let a crash undo the last revocations.
//   - Behind PgBouncer in transaction mode before 1.21 set [Config].Unprepared, and with pgx
//     default_query_exec_mode=exec as well.
//
// The schema is the first of the search_path. On CockroachDB, [Store.Migrate] leaves out the
// collation "C", which is what text has there. The cap, and everything else, needs no more than rows,
// indexes and transactions.
//
// # MySQL and MariaDB
//
// The driver is github.com/go-sql-driver/mysql.
//
//	db, err := sql.Open("mysql", "app:…@tcp(db.example:3306)/app?tls=true"+
//		"&timeout=5s&readTimeout=30s&writeTimeout=30s&rejectReadOnly=true")
//	st, err := sqlstore.New(db, sqlstore.MySQL, sqlstore.Config{})
//
// Each setting is there for a reason, and some of the server's matter:
//
//   - rejectReadOnly=true drops a connection to a primary that was demoted, so that the next call
//     finds the new one. Without it the pool keeps failing writes until the connection ends.
//   - timeout, readTimeout and writeTimeout bound how long a call hangs on a connection that died
//     without saying so. Let readTimeout be longer than any wait for a lock that you accept.
//   - innodb_flush_log_at_trx_commit must be 1, its default, or a crash undoes the last revocations.
//   - binlog_format must not be STATEMENT: MySQL writes no such log of transactions under READ
//     COMMITTED, which the store uses.
//   - parseTime, loc, charset, collation, clientFoundRows, interpolateParams and sql_mode make no
//     difference. Columns hold bytes and integers, and what does not fit into one is refused before
//     a mode that is not strict could cut it.
//
// Set db.SetConnMaxLifetime to less than the wait_timeout of the server, and on either server
// SetMaxOpenConns to your share of its connections and SetMaxIdleConns to about the same: verifying a
// key prepares its statement once for each connection.
//
// # Transactions
//
// [New] also takes a *sql.Tx or a *sql.Conn. With a transaction, a key is created together with
// whatever else the application writes, or not at all:
//
//	tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted}) // SQLite: nil
//	…
//	token, key, err := keys.WithStore(st.WithTx(tx)).Issue(ctx, request)
//	…
//	err = tx.Commit()
//
// Such a store begins and commits nothing, and sees and shows what the transaction does. It repeats
// nothing either: after an error that is not one of package store's, roll back and begin anew.
//
// Where a key is created under a cap, the transaction must run under READ COMMITTED for the cap to be
// exact. On PostgreSQL a higher level is exact too, but fails more often, with SQLSTATE 40001, for
// the caller to begin anew. On MySQL a transaction of REPEATABLE READ, the default there, that has
// read anything before it creates the key counts as of that read, and may exceed the cap by what
// others created since.
//
// From a Create under a cap until it ends, a transaction holds a lock on the row of the owner, so
// that others who create keys for the same owner under a cap wait for it. Nothing else does: keys
// are verified, listed, changed, and created for other owners meanwhile. A record that the transaction
// changed can't be changed by others until it ends, and a batch of last uses that names it waits;
// others still see it as it was. On SQLite it holds the one write lock of the whole database. So do last
// what writes keys, and nothing slow after it.
//
// On a *sql.Conn the same holds, inside a transaction that the application has begun by hand. Outside
// of one each statement stands alone, so that on PostgreSQL and MySQL there is no exact cap. Only
// Migrate begins a transaction there.
//
// # Errors
//
// On a *sql.DB, a call that lost a deadlock or a race between transactions is repeated a few times,
// after random pauses of milliseconds. A call whose connection was lost is repeated once, except for
// Purge. Create and Update then look at what is kept and return nil if it is what they were to
// write. No call goes on once its context has ended, so give each a deadline. Whatever else a driver
// returns means that the database could not answer.
//
// # Times
//
// Times are kept as integers, microseconds since 1970 in UTC, in every database: text and native
// timestamps lose precision, shift with the time zone of a connection, or sort wrongly, depending on
// the driver. NULL means never. A table looked at by hand reads
// datetime(expires_at / 1000000, 'unixepoch') on SQLite, to_timestamp(expires_at / 1e6) on PostgreSQL
// and FROM_UNIXTIME(expires_at / 1e6) on MySQL.
package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

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

	// Unprepared makes a store on a *sql.DB prepare no statements ahead, as one on a transaction. Set
	// it behind a pooler that hands each transaction whichever connection is free and does not follow
	// prepared statements, such as PgBouncer in its transaction mode before 1.21; with pgx set
	// default_query_exec_mode=exec or simple_protocol as well.
	Unprepared bool
}

// A Store is a [store.Store] in a SQL database. It is safe for concurrent use, as far as what it
// was given to [New] is. It keeps nothing in memory but prepared statements, which live as long as
// the *sql.DB: make one Store for a *sql.DB and keep it.
type Store struct {
	db       DB
	pool     *sql.DB // db, if transactions can be begun on it
	prepares bool    // whether statements are prepared ahead on the pool
	dialect  *dialect
	table    string

	get, create, kept, update, owned, touch, purge, stale statement

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
		return nil, errors.New("sqlstore: unknown dialect")
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
	s.get.text = s.sql("SELECT {columns} FROM {table} WHERE id = ?")
	s.create.text = s.sql(dialect.create)
	s.kept.text = s.sql("SELECT 1 FROM {table} WHERE id = ? UNION ALL SELECT 1 FROM {table} WHERE alias = ?")
	s.update.text = s.sql(updateRecord)
	s.owned.text = s.sql("SELECT 1 FROM {table} WHERE id = ? AND owner = ?")
	s.touch.text = s.sql(dialect.touch)
	s.purge.text = s.sql(dialect.purge)
	s.stale.text = s.sql(chooseStale)
	s.lock = s.sql(dialect.lock)
	s.count = s.sql(countActive)
	return s, nil
}

// WithTx returns a store that is the same but works inside the transaction, as [New] on a *sql.Tx
// does. It panics if tx is nil.
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
	for _, suffix := range []string{"_schema", "_owners", "_owner", "_alias", "_expires", "_revoked", "_updated"} {
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
		"{by owner}", s.dialect.by(s.name("_owner")),
		"{by alias}", s.dialect.by(s.name("_alias")),
		"{by expires}", s.dialect.by(s.name("_expires")),
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

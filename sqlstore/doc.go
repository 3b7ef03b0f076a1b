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
//	import _ "github.com/jackc/pgx/v5/stdlib" // or _ "github.com/lib/pq", which is called "postgres"
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
//   - connect_timeout bounds how long a call waits for one host of several that does not answer
//     before it tries the next. How long a call waits in all is for its context and for
//     [Config].Timeout to say.
//   - Where a server falls silent, pgx closes the connection when the context of a call ends. lib/pq
//     asks the server to cancel and waits for the answer, so that the call, and the request behind
//     it, goes on for as long as the network lets it.
//   - synchronous_commit must not be off, which would let a crash undo the last revocations.
//   - Behind PgBouncer in transaction mode before 1.21 set [Config].Unprepared, and with pgx
//     default_query_exec_mode=exec as well.
//
// The tables are made in the first schema of the search_path, which must exist: add
// &search_path=keys to the settings for one of that name. On CockroachDB, [Store.Migrate] leaves out the
// collation "C", which is what text has there. The cap, and everything else, needs no more than rows,
// indexes and transactions.
//
// # MySQL and MariaDB
//
// The driver is github.com/go-sql-driver/mysql.
//
//	import _ "github.com/go-sql-driver/mysql"
//
//	db, err := sql.Open("mysql", "app:…@tcp(db.example:3306)/app?tls=true"+
//		"&timeout=5s&readTimeout=30s&writeTimeout=30s&rejectReadOnly=true")
//	st, err := sqlstore.New(db, sqlstore.MySQL, sqlstore.Config{})
//
// Each setting is there for a reason, and some of the server's matter:
//
//   - rejectReadOnly=true drops a connection to a primary that was demoted, so that the next call
//     finds the new one. Without it the pool keeps failing writes until the connection ends.
//   - timeout, readTimeout and writeTimeout bound how long one attempt hangs on a connection that died
//     without saying so; a call may make two. Let readTimeout be longer than any wait for a lock that
//     you accept.
//   - innodb_flush_log_at_trx_commit must be 1, its default, or a crash undoes the last revocations.
//   - binlog_format must not be STATEMENT: MySQL writes no such log of transactions under READ
//     COMMITTED, which the store uses.
//   - parseTime, loc, charset, collation, clientFoundRows, interpolateParams and nearly all of sql_mode
//     make no difference. Columns hold bytes and integers, what does not fit into one is refused before
//     a mode that is not strict could cut it, and no value ever becomes part of a statement's text, for
//     which every statement is prepared, at the latest when it is run. EMPTY_STRING_IS_NULL of MariaDB
//     fails every write.
//   - autocommit must be on, and character_set_connection, which only a SET of one's own changes alone,
//     the same as character_set_client. Migrate and Check refuse what is not so.
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
// nothing either. After apikey.ErrNotFound, ErrLimit, ErrConflict, ErrForbidden and an ArgumentError the
// transaction goes on as it was; after apikey.ErrUnavailable, which keeps the driver's error for errors.As,
// roll back and begin anew. It also goes on after store.ErrExists, unless on PostgreSQL an Update comes in
// the very moment in which another one takes the same alias.
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
// # Tables and rights
//
// A store has three tables: that of the keys, one ending in _owners, with a row for each owner who was
// ever given a key under a cap, and one ending in _schema. On SQLite there are two, without that of the
// owners. The application needs SELECT, INSERT, UPDATE and DELETE on the first, SELECT, INSERT and UPDATE on
// the second and SELECT on the third; only Migrate needs to create anything.
//
// Purge leaves an owner's row in the second table, which holds the owner's name and nothing else. It may be
// deleted by hand at any time.
//
// # Errors
//
// On a *sql.DB, a call that lost a deadlock or a race between transactions is repeated a few times,
// after random pauses of milliseconds. A call whose connection was lost is repeated once, except for
// Purge. Create and Update then look at what is kept and return nil if it is what they were to
// write. No call goes on once its context has ended, or after [Config].Timeout where its context has no
// deadline. Whatever else a driver returns means that the database could not answer.
//
// # Times
//
// Times are kept as integers, microseconds since 1970 in UTC, in every database: text and native
// timestamps lose precision, shift with the time zone of a connection, or sort wrongly, depending on
// the driver. NULL means never. A table looked at by hand reads
// datetime(expires_at / 1000000, 'unixepoch') on SQLite, to_timestamp(expires_at / 1e6) on PostgreSQL
// and FROM_UNIXTIME(expires_at DIV 1000000) on MySQL.
package sqlstore

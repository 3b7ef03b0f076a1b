// Package scratch makes a place of their own for measurements in a database, and takes it away again.
package scratch

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"strings"

	_ "github.com/jackc/pgx/v5/stdlib"
)

// PostgresVariable is the name of the environment variable that names the PostgreSQL server.
const PostgresVariable = "LATCHKEY_POSTGRES_DSN"

// Postgres makes a schema on the server and returns the data source name that leads into it. drop takes it
// away, with what is in it.
func Postgres(ctx context.Context) (dsn string, drop func() error, err error) {
	server := os.Getenv(PostgresVariable)
	u, err := url.Parse(server)
	if err != nil || u.Scheme == "" {
		return "", nil, errors.New(PostgresVariable + " is no URL") // without it, which may hold a password
	}
	admin, err := sql.Open("pgx", server)
	if err != nil {
		return "", nil, errors.New(PostgresVariable + " is no data source name")
	}
	schema := "latchkey_" + strings.ToLower(rand.Text())
	if _, err := admin.ExecContext(ctx, "CREATE SCHEMA "+schema); err != nil {
		return "", nil, errors.Join(errors.New("the PostgreSQL server can't be used"), admin.Close())
	}
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	return u.String(), func() error {
		_, err := admin.Exec("DROP SCHEMA " + schema + " CASCADE")
		return errors.Join(err, admin.Close())
	}, nil
}

// Package importer takes over the keys of the earlier Postman. It reads that system's tables in PostgreSQL
// and makes a record of each key that still lives, so that its token goes on working.
//
// Such a key has no scopes, since those of the earlier system had none: it may do all that its owner may.
//
// It may be run as often as one likes, and be interrupted: what is there already stays as it is. A key that
// its owner deleted in the earlier system after it was taken over is revoked.
package importer

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/apikey/legacy"
	"github.com/opengovsg/latchkey/emaildomain"
	"github.com/opengovsg/latchkey/examples/postman/database"
	"github.com/opengovsg/latchkey/memstore"
	"github.com/opengovsg/latchkey/store"
)

const (
	defaultBatch = 500
	maxBatch     = 5000
)

// A Config says what to take over. Prefix and Owners are required.
type Config struct {
	// Prefix is that of the service that is to have the keys.
	Prefix string

	// Owners admits the addresses of those who may own keys, and says how they are spelled.
	Owners *emaildomain.Policy

	// Batch is how many rows are read at once and written in one transaction: 500 where zero, at most
	// 5000.
	Batch int

	// After leaves out the rows up to this id, such as Report.LastID of a run that was interrupted. Only
	// a run without it notices what was deleted since.
	After int64

	// DryRun writes nothing and reports what would be done.
	DryRun bool

	// OnBatch, where not nil, is told what became of each row of a batch, once that is committed, and the
	// report so far.
	OnBatch func(rows []Row, sofar Report)

	// Now is the clock: time.Now where nil.
	Now func() time.Time
}

// An Importer takes over the keys of one database into another. Make one with [New].
type Importer struct {
	from   *sql.DB
	to     *database.Database
	keys   *apikey.Service
	scheme string         // the name of the earlier system's
	copies map[int64]bool // the rows whose hash a live row before them has
	target store.Store    // of to, or an empty one where a dry run finds no tables
	config Config
}

// New returns an importer that reads from, as [OpenSource] opens it, and writes to a database whose tables
// are made by Run where there are none. A nil database, for a dry run only, is one that does not exist yet.
// The error, if any, says which field of the configuration can't be so.
func New(from *sql.DB, to *database.Database, c Config) (*Importer, error) {
	if c.Batch == 0 {
		c.Batch = defaultBatch
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	switch {
	case from == nil:
		return nil, errors.New("importer: there must be a database to read from")
	case to == nil && !c.DryRun:
		return nil, errors.New("importer: there must be a database to write to")
	case c.Owners == nil:
		return nil, errors.New("importer: Owners must be set")
	case c.Batch < 1 || c.Batch > maxBatch:
		return nil, fmt.Errorf("importer: Batch must be 1 to %d", maxBatch)
	case c.After < 0:
		return nil, errors.New("importer: After must not be negative")
	}
	i := &Importer{from: from, to: to, target: new(memstore.Store), config: c}
	if to != nil {
		i.target = to.Keys
	}
	scheme, err := legacy.NewPostman(anySalt, "v1")
	if err != nil {
		return nil, err
	}
	i.scheme = scheme.Name()
	i.keys, err = apikey.New(i.target, apikey.Config{Prefix: c.Prefix, Legacy: []apikey.LegacyScheme{scheme}, Now: c.Now})
	if err != nil {
		return nil, err
	}
	return i, nil
}

// Run reads every row once and does with it what is to be done. It ends early with the context, or where
// a database does not answer also after a while, and then returns the report so far with the error: every
// row up to Report.LastID is done, and another run does the rest. No error holds a hash, a password or
// what is in a row.
func (i *Importer) Run(ctx context.Context) (report Report, err error) {
	report = Report{LastID: i.config.After, DryRun: i.config.DryRun}
	began := time.Now()
	defer func() { report.Elapsed = time.Since(began) }()
	if err := i.prepare(ctx, &report); err != nil {
		return report, err
	}
	for {
		page, err := i.page(ctx, report.LastID)
		if err != nil {
			return report, fmt.Errorf("reading the earlier system's keys: %w", err)
		}
		if len(page) == 0 {
			return report, nil
		}
		rows, err := i.batch(ctx, page)
		if err != nil {
			return report, fmt.Errorf("writing keys: %w", err)
		}
		report.add(rows)
		if i.config.OnBatch != nil {
			i.config.OnBatch(rows, report)
		}
	}
}

// prepare looks at the source as a whole, and makes the tables of the target where there are none.
func (i *Importer) prepare(ctx context.Context, report *Report) error {
	err := i.reach(ctx)
	if err != nil {
		return err
	}
	if report.Total, err = i.count(ctx); err == nil {
		i.copies, err = i.findCopies(ctx)
	}
	if err != nil {
		return fmt.Errorf("looking at the earlier system's tables: %w", err)
	}
	if !i.config.DryRun {
		return patiently(ctx, i.to.Keys.Migrate)
	}
	there, err := i.hasTables(ctx)
	switch {
	case err != nil:
		return err
	case there:
		i.target = i.to.Keys
	default:
		i.target, report.NoTables = new(memstore.Store), true
	}
	return nil
}

// reach fails at once where a database can't be reached to begin with: its name is wrong then more often
// than it is down.
func (i *Importer) reach(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	if err := i.from.PingContext(ctx); err != nil {
		return fmt.Errorf("the earlier system's database does not answer: %w", err)
	}
	if i.to == nil {
		return nil
	}
	if err := i.to.PingContext(ctx); err != nil {
		return fmt.Errorf("the database to write to does not answer: %w", err)
	}
	return nil
}

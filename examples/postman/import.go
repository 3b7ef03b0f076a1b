package main

import (
	"context"
	"database/sql"
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/opengovsg/latchkey/emaildomain"
	"github.com/opengovsg/latchkey/examples/postman/database"
	"github.com/opengovsg/latchkey/examples/postman/importer"
)

// shownRefusals is how many refused rows the closing report names. All of them are in the file of -report.
const shownRefusals = 20

// importKeys takes over the keys of the earlier system. It fails where it could not end, and where it had
// to refuse a row, so that no script passes over a key that would be missed.
func importKeys(ctx context.Context, args []string, out io.Writer) error {
	return importAt(ctx, args, out, os.Stderr, time.Now)
}

// importAt does so by a clock, and tells its progress to a writer of its own.
func importAt(ctx context.Context, args []string, out, progress io.Writer, now func() time.Time) error {
	flags := flag.NewFlagSet("postman import", flag.ContinueOnError)
	flags.SetOutput(out)
	from := flags.String("from", os.Getenv("POSTMAN_FROM"), "the earlier system's `database`, postgres://…; of POSTMAN_FROM where not given, which no list of processes shows")
	dsn := flags.String("dsn", os.Getenv("POSTMAN_DSN"), "the `database` to write to, postgres://…, mysql://… or a SQLite file; of POSTMAN_DSN where not given")
	prefix := flags.String("prefix", "postman_live", "the `prefix` of the service's tokens")
	reportTo := flags.String("report", "", "a new `file` for a line of CSV on each row that is no active key now")
	c := importer.Config{Now: now}
	flags.BoolVar(&c.DryRun, "dry-run", false, "report what would be done, and write nothing")
	flags.IntVar(&c.Batch, "batch", 500, "how many rows go into one transaction")
	flags.Int64Var(&c.After, "after", 0, "leave out the rows up to this `id`")
	// What a flag was set to is in what package flag says of one that is wrong, and in its defaults.
	flags.VisitAll(func(f *flag.Flag) {
		if f.Name == "from" || f.Name == "dsn" {
			f.DefValue = ""
		}
	})
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return nil
	case err != nil:
		return err
	case flags.NArg() > 0:
		return errors.New("import takes flags only")
	case *from == "" || *dsn == "":
		return errors.New("name the earlier system's database with -from and the one to write to with -dsn")
	}
	var err error
	if c.Owners, err = emaildomain.New(".gov.sg"); err != nil { // as the service has it
		return err
	}
	if c.Prefix = *prefix; c.Prefix == "" {
		return errors.New("-prefix must not be empty")
	}

	source, err := importer.OpenSource(*from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := openTarget(*dsn, c.DryRun)
	if err != nil {
		return fmt.Errorf("-dsn: %w", err)
	}
	if target != nil {
		defer target.Close()
	}
	return importInto(ctx, source, target, c, *reportTo, out, progress)
}

// openTarget opens the database to write to. Opening a SQLite file would make it, so a dry run has none
// where there is none yet.
func openTarget(dsn string, dryRun bool) (*database.Database, error) {
	file, err := database.IsFile(dsn)
	if err != nil {
		return nil, err
	}
	if dryRun && file {
		switch info, err := os.Stat(dsn); {
		case errors.Is(err, os.ErrNotExist), err == nil && info.Size() == 0:
			return nil, nil
		case err != nil:
			return nil, errors.New("the file can't be looked at") // and its name may be a mistaken password
		}
	}
	return database.Open(dsn)
}

func importInto(ctx context.Context, from *sql.DB, to *database.Database, c importer.Config, reportTo string, out, progress io.Writer) (err error) {
	missing := io.Discard
	if reportTo != "" {
		file, err := os.OpenFile(reportTo, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return fmt.Errorf("-report: %w", err)
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		missing = file
	}
	lines := csv.NewWriter(missing)
	lines.Write([]string{"id", "outcome", "reason"})
	meter := newMeter(progress)
	var refused []importer.Row
	c.OnBatch = func(rows []importer.Row, sofar importer.Report) {
		for _, row := range rows {
			if row.Reason == "" {
				continue
			}
			lines.Write([]string{strconv.FormatInt(row.ID, 10), string(row.Outcome), row.Reason})
			if row.Outcome == importer.Refused && len(refused) < shownRefusals {
				refused = append(refused, row)
			}
		}
		lines.Flush() // what is committed is reported, whatever comes next
		meter.set(sofar.Read, sofar.Total)
	}
	i, err := importer.New(from, to, c)
	if err != nil {
		return err
	}
	report, err := i.Run(ctx)
	meter.end()
	if err != nil && report.Read == 0 {
		return err // it could not begin, and there is nothing to tell of
	}
	tell(out, report, refused)
	lines.Flush()
	switch {
	case err != nil:
		return fmt.Errorf("it ended early, and every row up to id %d is done; run it again for the rest: %w", report.LastID, err)
	case lines.Error() != nil:
		return fmt.Errorf("-report: %w", lines.Error())
	case report.Refused > 0:
		return fmt.Errorf("%d rows were refused, for the reasons above: mend them and run it again, or tell their owners", report.Refused)
	}
	return nil
}

// tell prints the closing report.
func tell(out io.Writer, r importer.Report, refused []importer.Row) {
	head := "Keys of the earlier system:"
	if r.DryRun {
		head = "Nothing was written. This is what would become of the keys of the earlier system:"
	}
	fmt.Fprintln(out, head)
	for _, line := range []struct {
		n    int64
		what string
	}{
		{r.Imported, "imported"},
		{r.There, "there already"},
		{r.Deleted, "deleted there, and not imported"},
		{r.Expired, "expired there, and not imported"},
		{r.Revoked, "revoked: deleted there after the import"},
		{r.Refused, "refused"},
	} {
		fmt.Fprintf(out, "%10d %s\n", line.n, line.what)
	}
	fmt.Fprintf(out, "%10d read in %.1f s, %.0f a second\n", r.Read, r.Elapsed.Seconds(), float64(r.Read)/max(r.Elapsed.Seconds(), 1e-3))
	if r.NoTables {
		fmt.Fprintln(out, "There are no tables of keys yet: an import makes them.")
	}
	if r.Refused > 0 {
		fmt.Fprintln(out, "Refused:")
	}
	for _, row := range refused {
		fmt.Fprintf(out, "  id %d: %s\n", row.ID, row.Reason)
	}
	if more := r.Refused - int64(len(refused)); more > 0 {
		fmt.Fprintf(out, "  and %d more: -report names them all\n", more)
	}
}

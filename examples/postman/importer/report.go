package importer

import "time"

// An Outcome is what became of a row.
type Outcome string

// What can become of a row.
const (
	Imported Outcome = "imported" // its key is there now
	There    Outcome = "there"    // its key was there before, and stays as it is
	Deleted  Outcome = "deleted"  // in the earlier system, and no key here is active
	Revoked  Outcome = "revoked"  // now, since it was deleted in the earlier system after it was taken over
	Expired  Outcome = "expired"  // in the earlier system
	Refused  Outcome = "refused"  // for the reason given
)

// A Row says what became of a row of the earlier system. It holds nothing of what is in the row.
type Row struct {
	ID      int64
	Outcome Outcome
	Reason  string // empty where Imported or There
}

// A Report says what became of the rows read. Each of them is counted under one outcome:
// Read = Imported + There + Deleted + Revoked + Expired + Refused.
type Report struct {
	Read, Imported, There, Deleted, Revoked, Expired, Refused int64

	// Total is how many rows there were to read when the run began.
	Total int64

	// LastID is the id up to which every row is done.
	LastID int64

	// DryRun says that nothing was written, and that the counts are what would have become of the rows.
	DryRun bool

	// NoTables says that a dry run found a database without tables of keys, which an import makes.
	NoTables bool

	// Elapsed is how long it took.
	Elapsed time.Duration
}

// add counts the rows of a batch.
func (r *Report) add(rows []Row) {
	for _, row := range rows {
		r.Read++
		r.LastID = row.ID
		switch row.Outcome {
		case Imported:
			r.Imported++
		case There:
			r.There++
		case Deleted:
			r.Deleted++
		case Revoked:
			r.Revoked++
		case Expired:
			r.Expired++
		case Refused:
			r.Refused++
		}
	}
}

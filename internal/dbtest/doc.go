// Package dbtest holds the stores of sqlstore to the contract on real databases. It is a module of
// its own so that no driver is required by the module that applications import.
//
// Faults, and where each is met besides internal/servicetest, which meets F2, F5, F10, F11, F20, F21,
// F27, F29 and F41 on every store. "Row F30" in a comment is the row of the fault here.
//
//	F1  F2       down at start and at run time     TestServerDown, TestDownAtCommit
//	F4  F5       slow, silent                      TestServerSlow, TestServerSilent, TestContextEnds…
//	F6           cut or killed midway              TestCutVerify, TestCutList, TestCutUnderLoad, TestKilledConnections
//	F8           the client leaves                 TestClientLeaves
//	F9  F10 F11  a store that panics or mixes up   TestMistakenStore
//	F12 … F16    a cache and other processes       TestCacheF15…, TestCacheM28RotatedElsewhere, TestCacheOrder
//	F22 … F25    zones, precision, order, 2038     TestZones
//	F30          the answer to a write is lost     TestCutCommit, TestCutRevoke, TestLostAnswers
//	F31          restarts, demotion, replicas      TestServerRestarts, TestServerDemoted, TestReplica
//	F34          deadlock, serialization           TestDeadlock…, TestContest…, TestSerializable, TestDriverErrors
//	F35 F36      locked, outdated snapshot         TestBusy…, TestLockedFile, TestOutdatedSnapshot, TestDeferredTransactionsWait
//	F37 F38      full, read-only                   TestDiskFull, TestFullFile, TestReadOnly…, TestServerReadOnly
//	F39          killed midway                     TestCrashF39…
//	F40 F41      spoilt schema, spoilt rows        TestSpoilt…, TestSchemaOfAnotherVersion, TestStoreBeforeMigrate
package dbtest

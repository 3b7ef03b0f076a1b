// Package dbtest holds the stores of sqlstore to the contract on real databases. It is a module of
// its own so that no driver is required by the module that applications import.
package dbtest

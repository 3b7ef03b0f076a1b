// Package browsertest uses the example service as people do, in a real Chromium. It is a module of its
// own so that nothing of a browser is required by the module that applications import.
package browsertest

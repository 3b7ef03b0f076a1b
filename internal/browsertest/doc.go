// Package browsertest uses the example service as people do, in a real Chromium. It is a module of its
// own so that nothing of a browser is required by the module that applications import.
//
// Where there is no Chromium its tests are skipped, and those of axe-core where npm ci was not run here;
// with LATCHKEY_REQUIRE_BROWSER=1 they fail instead. LATCHKEY_CHROMIUM says where Chromium is, if not in
// the PATH. After a change to examples/postman, go test needs -count=1 to run them again.
//
//	go test -run Screenshots -update    # takes the pictures of docs anew, in the fonts of this machine
package browsertest

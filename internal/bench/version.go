package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
)

// moduleVersion returns a module's path and the version that is built in.
func moduleVersion(path string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return path
	}
	for _, m := range info.Deps {
		if m.Path == path {
			return path + " " + m.Version
		}
	}
	return path
}

// machine says what everything ran on.
func machine() string {
	cpu := field("/proc/cpuinfo", "model name")
	if cpu == "" {
		cpu = runtime.GOARCH
	}
	memory := ""
	if kb := available("MemTotal"); kb > 0 {
		memory = fmt.Sprintf(", %d GiB of memory", (kb+1<<19)>>20)
	}
	return fmt.Sprintf("%d processors of %s%s, %s, %s", runtime.NumCPU(), cpu, memory, runtime.GOOS, runtime.Version())
}

// available returns kibibytes by their name in /proc/meminfo, and 0 where there is none.
func available(name string) (kb int) {
	fmt.Sscanf(field("/proc/meminfo", name), "%d", &kb)
	return kb
}

// field returns the first value of a name in a file of lines "name : value".
func field(file, name string) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if key, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

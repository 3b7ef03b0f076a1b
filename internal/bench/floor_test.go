package main

import "testing"

func BenchmarkFloorVerify(b *testing.B) {
	f, tokens := newFloor(1000, 1000)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if !f.verify(tokens[i%len(tokens)]) {
			b.Fatal("refused")
		}
	}
}

func BenchmarkFloorIssue(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if token, _ := floorIssue(); len(token) != 83 {
			b.Fatal(len(token))
		}
	}
}

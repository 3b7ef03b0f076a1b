package main

import (
	_ "embed"
	htmltemplate "html/template"
	"strconv"
	"strings"
	"text/template"
	"unicode"

	"github.com/opengovsg/latchkey/apikey/reminder"
)

//go:embed letter.txt.tmpl
var textSource string

//go:embed letter.html.tmpl
var htmlSource string

var (
	textTemplate = template.Must(template.New("text").Parse(textSource))
	htmlTemplate = htmltemplate.Must(htmltemplate.New("html").Parse(htmlSource))
)

// maxSubjectLabel is how much of a label, in characters, goes into a subject.
const maxSubjectLabel = 60

// A letter is what a mail says.
type letter struct {
	subject, text, html string
}

// facts are what the templates tell.
type facts struct {
	Label, Hint, Owner, ID string
	Title                  string
	Ends                   string // such as "Thursday, 26 November 2026 at 09:30 (Asia/Singapore)"
	Settings               string

	Pending   bool
	OldHint   string
	RotatedOn string
}

// write writes the letter of a notice.
func write(n reminder.Notice, settings string) (letter, error) {
	label := plain(n.Key.Label)
	short := label
	if runes := []rune(label); len(runes) > maxSubjectLabel {
		short = string(runes[:maxSubjectLabel-1]) + "…"
	}
	f := facts{
		Label: label,
		Hint:  plain(n.Key.Hint),
		Owner: plain(n.Key.Owner),
		ID:    n.Key.ID,
		Title: "API key “" + short + "” expires " + inDays(n.DaysLeft),
		Ends:  n.ExpiresAt.Format("Monday, 2 January 2006 at 15:04 (") + n.ExpiresAt.Location().String() + ")",

		Settings: settings,
		Pending:  n.Pending,
	}
	if handover, ok := n.Key.Handover(); ok && n.Pending {
		f.Title = "API key “" + short + "”: the old token stops working " + inDays(n.DaysLeft)
		f.OldHint = plain(handover.PriorHint)
		f.RotatedOn = handover.RotatedAt.In(n.ExpiresAt.Location()).Format("2 January 2006")
	}
	var text, html strings.Builder
	if err := textTemplate.Execute(&text, f); err != nil {
		return letter{}, err
	}
	if err := htmlTemplate.Execute(&html, f); err != nil {
		return letter{}, err
	}
	return letter{subject: f.Title, text: text.String(), html: html.String()}, nil
}

func inDays(n int) string {
	switch n {
	case 0:
		return "today"
	case 1:
		return "tomorrow"
	}
	return "in " + strconv.Itoa(n) + " days"
}

// plain replaces what could begin a line of its own, in a header or in the text, or turn the direction
// of what follows. Latchkey refuses most of it in a label, and a mail must not depend on that.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}

package settings

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// An object holds the members of a JSON object by their exact names.
type object map[string]json.RawMessage

// readObject reads a body that is one JSON object whose members are all among those known, each at
// most once. Package encoding/json takes "Label" for "label", and the last of two: what was checked in
// front, by a proxy for one, would then not be what is done.
func readObject(body []byte, known ...string) (object, error) {
	if !utf8.Valid(body) {
		return nil, &fieldError{"the body", "must be UTF-8"}
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	if start, err := dec.Token(); err != nil || start != json.Delim('{') {
		return nil, errNotObject
	}
	o := make(object)
	for dec.More() {
		token, err := dec.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return nil, errNotObject
		}
		if !slices.Contains(known, name) {
			return nil, &fieldError{"the body", "must have no members but " + strings.Join(known, ", ")}
		}
		if _, twice := o[name]; twice {
			return nil, &fieldError{name, "must not be there twice"}
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, errNotObject
		}
		o[name] = value
	}
	if _, err := dec.Token(); err != nil {
		return nil, errNotObject
	}
	if len(bytes.Trim(body[dec.InputOffset():], " \t\r\n")) != 0 {
		return nil, &fieldError{"the body", "must end after the object"}
	}
	return o, nil
}

var errNotObject = &fieldError{"the body", "must be one JSON object"}

// text returns a member that is a string, "" where there is none.
func (o object) text(name string) (string, error) {
	raw, ok := o[name]
	if !ok {
		return "", nil
	}
	s, ok := textOf(raw)
	if !ok {
		return "", &fieldError{name, "must be a string"}
	}
	return s, nil
}

func textOf(raw json.RawMessage) (s string, ok bool) {
	if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &s) != nil {
		return "", false
	}
	// Half of a surrogate pair becomes U+FFFD, which is not what was sent.
	return s, strings.Count(s, "\uFFFD") == replacements(raw)
}

// replacements counts the U+FFFD that the text of a JSON string spells itself.
func replacements(raw json.RawMessage) int {
	n := bytes.Count(raw, []byte("\uFFFD"))
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		if i++; raw[i] == 'u' && strings.EqualFold(string(raw[i+1:i+5]), "fffd") {
			n++
		}
	}
	return n
}

// texts returns a member that is an array of strings, nil where there is none.
func (o object) texts(name string) ([]string, error) {
	raw, ok := o[name]
	if !ok {
		return nil, nil
	}
	var elements []json.RawMessage
	if raw[0] != '[' || json.Unmarshal(raw, &elements) != nil {
		return nil, &fieldError{name, "must be an array of strings"}
	}
	list := make([]string, len(elements))
	for i, element := range elements {
		if list[i], ok = textOf(element); !ok {
			return nil, &fieldError{name, "must be an array of strings"}
		}
	}
	return list, nil
}

// number returns a member that is a whole number of at least one, 0 where there is none.
func (o object) number(name string, max int) (int, error) {
	raw, ok := o[name]
	if !ok {
		return 0, nil
	}
	n, err := strconv.Atoi(string(raw))
	if err != nil || n < 1 || n > max {
		return 0, &fieldError{name, "must be a whole number from 1 to " + strconv.Itoa(max)}
	}
	return n, nil
}

// truth returns a member that is true or false, false where there is none.
func (o object) truth(name string) (bool, error) {
	switch string(o[name]) {
	case "true":
		return true, nil
	case "false", "":
		return false, nil
	}
	return false, &fieldError{name, "must be true or false"}
}

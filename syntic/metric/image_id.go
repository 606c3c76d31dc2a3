package metric

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// ImageID is the id of an image as JSON writes it: 42 for a number, "a.jpg" with its quotes for a string. So the number 42 and
// the string "42" are different ids, as they are for pycocoevalcap.
type ImageID string

// UnmarshalJSON takes an integer or a string.
func (id *ImageID) UnmarshalJSON(b []byte) error {
	switch {
	case len(b) > 0 && b[0] == '"':
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		quoted, err := json.Marshal(s)
		*id = ImageID(quoted)
		return err
	case len(b) > 0 && !bytes.ContainsAny(b, ".eEntf[{"):
		*id = ImageID(b)
		return nil
	}
	return fmt.Errorf("image id %.40s: want an integer or a string", b)
}

// MarshalJSON writes the id as it was read.
func (id ImageID) MarshalJSON() ([]byte, error) {
	if id == "" {
		return []byte("null"), nil
	}
	return []byte(id), nil
}

package nn

import (
	"encoding/json"
	"fmt"
	"os"

	"syntic/tensor/wholefile"
)

// ReadJSON reads a model's configuration. The error names the path; what parse finds wrong follows it.
func ReadJSON[T any](path string, parse func([]byte) (T, error)) (t T, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return t, err
	}
	if t, err = parse(b); err != nil {
		return t, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// WriteJSON puts v in place of whatever is at path: written beside it, synced, renamed.
func WriteJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return wholefile.WriteBytes(path, append(b, '\n'))
}

package metric

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/syntic/metric/meteor"
)

// METEOR's counts of every image of every case, as its program gives them. It needs METEOR's own paraphrase table.
func TestMETEORGoldens(t *testing.T) {
	table := os.Getenv("SYNTIC_METEOR")
	if table == "" {
		t.Skip("SYNTIC_METEOR may name METEOR's paraphrase table, folder or jar")
	}
	for _, name := range goldenCases {
		t.Run(name, func(t *testing.T) {
			set, perImage := goldenSet(t, name)
			var want struct{ Scores map[string]float64 }
			readGolden(t, name+"/scores.json", &want)
			r, err := EvaluateSet(set)
			require.NoError(t, err)
			require.NoError(t, r.addMETEOR(set, meteor.Options{Paraphrases: table}))
			assertClose(t, want.Scores["METEOR"], r.Scores["METEOR"], "METEOR", "all")
			for i, row := range perImage {
				assertClose(t, row["METEOR"].(float64), r.PerImage["METEOR"][i], "METEOR", row["image_id"])
				var stats [23]float64
				require.NoError(t, json.Unmarshal([]byte("["+commas(row["meteor_stats"].(string))+"]"), &stats))
				for k, n := range r.METEOR[i].Numbers() {
					assert.Equal(t, stats[k], float64(n), "statistic %d of image %v", k, row["image_id"])
				}
			}
		})
	}
}

func commas(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c == ' ' {
			b[i] = ','
		}
	}
	return string(b)
}

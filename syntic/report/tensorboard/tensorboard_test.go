package tensorboard

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestMaskedCRC holds the CRC against the check value of CRC-32C (RFC 3720, appendix B.4: 32 bytes of zero give aa 36 91 8a) and its mask.
func TestMaskedCRC(t *testing.T) {
	crc := uint32(0x8a9136aa)
	assert.Equal(t, crc>>15|crc<<17, masked(make([]byte, 32))-0xa282ead8)
}

// records takes a file apart and checks every CRC.
func records(t *testing.T, file []byte) (out [][]byte) {
	t.Helper()
	for len(file) > 0 {
		require.GreaterOrEqual(t, len(file), 16)
		n := binary.LittleEndian.Uint64(file)
		require.Equal(t, masked(file[:8]), binary.LittleEndian.Uint32(file[8:]))
		require.GreaterOrEqual(t, uint64(len(file)), n+16)
		data := file[12 : 12+n]
		require.Equal(t, masked(data), binary.LittleEndian.Uint32(file[12+n:]))
		out, file = append(out, data), file[16+n:]
	}
	return out
}

// fields takes a message apart: "field:wire type" to bytes, or to the eight or four bytes of a number, or the varint.
func fields(t *testing.T, message []byte) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	for len(message) > 0 {
		k, n := binary.Uvarint(message)
		require.Positive(t, n)
		message = message[n:]
		size, skip := uint64(0), 0
		switch k & 7 {
		case 0:
			_, n = binary.Uvarint(message)
			size = uint64(n)
		case 1:
			size = 8
		case 2:
			size, skip = binary.Uvarint(message)
		case 5:
			size = 4
		default:
			t.Fatalf("wire type %d", k&7)
		}
		message = message[skip:]
		out[string('0'+byte(k>>3))+":"+string('0'+byte(k&7))] = message[:size]
		message = message[size:]
	}
	return out
}

func TestEventFile(t *testing.T) {
	var b bytes.Buffer
	at := time.Unix(1700000000, 500000000)
	require.NoError(t, Write(&b, at, []Scalar{{"train/loss", 0, 2.5}, {"train/loss", 300, -1}}))
	list := records(t, b.Bytes())
	require.Len(t, list, 3)
	first := fields(t, list[0])
	require.Len(t, first, 2)
	assert.Equal(t, "brain.Event:2", string(first["3:2"]))
	for i, want := range []struct {
		step  uint64
		value float32
	}{{0, 2.5}, {300, -1}} {
		e := fields(t, list[i+1])
		assert.Equal(t, 1700000000.5, math.Float64frombits(binary.LittleEndian.Uint64(e["1:1"])))
		step, _ := binary.Uvarint(append(e["2:0"], 0))
		assert.Equal(t, want.step, step)
		value := fields(t, fields(t, e["5:2"])["1:2"])
		assert.Equal(t, "train/loss", string(value["1:2"]))
		assert.Equal(t, want.value, math.Float32frombits(binary.LittleEndian.Uint32(value["2:5"])))
	}
	assert.EqualError(t, Write(&b, at, []Scalar{{"x", -1, 0}}), "tensorboard: x: step -1: want 0 or more")
}

// TestSameBytesAsTensorBoard holds a record against the one that TensorBoard 2's own EventFileWriter and protocol buffers write for the same event.
func TestSameBytesAsTensorBoard(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, Write(&b, time.Unix(1700000000, 500000000), []Scalar{{"train/loss", 300, 2.5}}))
	assert.Equal(t, golden, hex.EncodeToString(b.Bytes()))
}

// golden is of TensorBoard 2.21.0: tensorboard.compat.proto's messages through tensorboard.summary.writer.record_writer.
const golden = "1800000000000000a37f4b220900002040fc54d9411a0d627261696e2e4576656e743a322b3531102100000000000000017becf60900002040fc54d94110ac022a130a110a0a747261696e2f6c6f737315000020403cf09030"

// TestBefore cuts files where a training goes on: at steps, in the midst of records, and where a byte is wrong.
func TestBefore(t *testing.T) {
	var whole bytes.Buffer
	require.NoError(t, Begin(&whole, time.Unix(1, 0)))
	ends := []int{whole.Len()}
	for step := range int64(300) {
		require.NoError(t, Append(&whole, time.Unix(2, 0), []Scalar{{"a", step, 1}, {"b", step, 2}}))
		ends = append(ends, whole.Len())
	}
	file := whole.Bytes()
	for _, limit := range []int{0, 1, 127, 128, 129, 299, 300} {
		size, scalars := Before(file, int64(limit))
		assert.Equal(t, ends[limit], size)
		assert.Equal(t, 2*limit, scalars)
	}
	size, scalars := Before(file[:ends[7]-1], 300)
	assert.Equal(t, 13, scalars, "the last record is not whole")
	assert.Less(t, size, ends[7]-1)
	wrong := bytes.Clone(file)
	wrong[ends[5]+14]++
	size, scalars = Before(wrong, 300)
	assert.Equal(t, ends[5], size)
	assert.Equal(t, 10, scalars)
	for _, none := range [][]byte{nil, []byte("not an event file at all"), file[3:]} {
		size, scalars = Before(none, 300)
		assert.Zero(t, size)
		assert.Zero(t, scalars)
	}
}

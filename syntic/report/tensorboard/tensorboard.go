// Package tensorboard writes event files that TensorBoard shows: scalars by step.
//
// An event file is a sequence of records, framed as TensorFlow frames them (tensorflow/core/lib/io/record_writer.h): the length of the data in eight
// bytes, a masked CRC of those, the data, a masked CRC of the data; all little-endian. The CRC is CRC-32C, and its mask a rotation by 15 bits and
// a constant. The data of a record is a protocol buffer Event (tensorflow/core/util/event.proto): wall_time = 1 (double), step = 2 (int64),
// file_version = 3 (string), summary = 5, which holds value = 1, which holds tag = 1 (string) and simple_value = 2 (float). The first record has the
// file's version and nothing else.
package tensorboard

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"time"
)

// Scalar is a value of a curve.
type Scalar struct {
	Tag   string // the curve's name; TensorBoard groups by what stands before a slash
	Step  int64  // from 0
	Value float32
}

// FileName is a name that TensorBoard takes for an event file: it must hold "tfevents".
const FileName = "events.out.tfevents.0.syntic"

const version = "brain.Event:2"

// Write writes an event file of the scalars, in their order, all with the wall time at. A step below 0 is an error.
func Write(w io.Writer, at time.Time, scalars []Scalar) error {
	if err := Begin(w, at); err != nil {
		return err
	}
	return Append(w, at, scalars)
}

// Begin writes what an event file begins with.
func Begin(w io.Writer, at time.Time) error {
	return record(w, text(event(wallTime(at), 0), 3, version))
}

// Append writes scalars behind what an event file holds, in their order, all with the wall time at. A step below 0 is an error.
func Append(w io.Writer, at time.Time, scalars []Scalar) error {
	wall := wallTime(at)
	for _, s := range scalars {
		if s.Step < 0 {
			return fmt.Errorf("tensorboard: %s: step %d: want 0 or more", s.Tag, s.Step)
		}
		value := text(nil, 1, s.Tag)
		value = binary.LittleEndian.AppendUint32(key(value, 2, fixed32), math.Float32bits(s.Value))
		summary := text(nil, 1, string(value))
		if err := record(w, text(event(wall, s.Step), 5, string(summary))); err != nil {
			return err
		}
	}
	return nil
}

func wallTime(at time.Time) float64 { return float64(at.UnixNano()) / 1e9 }

// Before tells how many bytes of an event file, from its beginning, are whole records of steps below limit, and how many scalars those are: what to keep
// of the file of a training that goes on from step limit. It stops at what is no record of Write, Begin and Append.
func Before(file []byte, limit int64) (size, scalars int) {
	const frame = 8 + 4 + 4
	for rest := file; len(rest) >= frame; rest = file[size:] {
		n := binary.LittleEndian.Uint64(rest)
		if n > uint64(len(rest)-frame) || masked(rest[:8]) != binary.LittleEndian.Uint32(rest[8:]) {
			break
		}
		data := rest[12 : 12+n]
		if masked(data) != binary.LittleEndian.Uint32(rest[12+n:]) || stepOf(data) >= limit && size > 0 {
			break
		}
		if size > 0 {
			scalars++
		}
		size += frame + int(n)
	}
	return size, scalars
}

// stepOf is the step of an Event as event writes it: behind the wall time, and 0 where it is missing.
func stepOf(data []byte) int64 {
	const time = 1 + 8
	if len(data) <= time || data[time] != 2<<3|varint {
		return 0
	}
	step, _ := binary.Uvarint(data[time+1:])
	return int64(step)
}

// Wire types of protocol buffers.
const (
	varint  = 0
	fixed64 = 1
	length  = 2
	fixed32 = 5
)

func key(b []byte, field, wire uint64) []byte { return binary.AppendUvarint(b, field<<3|wire) }

// text appends a field of bytes: a string or a message.
func text(b []byte, field uint64, s string) []byte {
	return append(binary.AppendUvarint(key(b, field, length), uint64(len(s))), s...)
}

func event(wall float64, step int64) []byte {
	b := binary.LittleEndian.AppendUint64(key(nil, 1, fixed64), math.Float64bits(wall))
	if step != 0 { // 0 is what a missing field means
		b = binary.AppendUvarint(key(b, 2, varint), uint64(step))
	}
	return b
}

func record(w io.Writer, data []byte) error {
	head := binary.LittleEndian.AppendUint64(nil, uint64(len(data)))
	head = binary.LittleEndian.AppendUint32(head, masked(head))
	tail := binary.LittleEndian.AppendUint32(nil, masked(data))
	for _, part := range [][]byte{head, data, tail} {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func masked(data []byte) uint32 {
	crc := crc32.Checksum(data, castagnoli)
	return (crc>>15 | crc<<17) + 0xa282ead8
}

package cli

import "fmt"

// Bytes writes a number of bytes as people read it, in powers of 1024: 512 B, 1.5 KiB, 23 GiB.
func Bytes(n int64) string {
	if n > -1024 && n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	x, unit := float64(n)/1024, 0
	for ; (x >= 1023.5 || x <= -1023.5) && unit < 5; unit++ {
		x /= 1024
	}
	if x > -9.95 && x < 9.95 {
		return fmt.Sprintf("%.1f %ciB", x, "KMGTPE"[unit])
	}
	return fmt.Sprintf("%.0f %ciB", x, "KMGTPE"[unit])
}

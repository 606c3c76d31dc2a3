package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"syntic/clip/bpe"
	"syntic/cmd/internal/cli"
)

// maxLine bounds a text, in bytes.
const maxLine = 16 << 20

type tokensOptions struct {
	tokenizer, clean string
	special, decode  bool
	cut              int
}

func tokensCmd() *cobra.Command {
	o := tokensOptions{}
	cmd := &cobra.Command{
		Use: "tokens --tokenizer clip|gpt2|DIR FILE|-", Short: "Print the token ids of texts, a line each", Args: cobra.ExactArgs(1),
		Long: "Print the ids of each line of a file, or of stdin (-), joined by blanks. clip and gpt2 are OpenAI's vocabularies, which are part of the program;\n" +
			"DIR holds vocab.json and merges.txt, or tokenizer.json, of either kind. CLIP's texts are cleaned as openai/CLIP does; --clean hf does as\n" +
			"transformers' CLIPTokenizer. --length cuts as the library does: CLIP's texts keep their end, GPT-2's their beginning.",
		Example: "  syntic tokens --tokenizer clip captions.txt\n  echo \"a photo of a cat\" | syntic tokens --tokenizer clip --special --length 77 -\n" +
			"  syntic tokens --tokenizer gpt2 captions.txt | syntic tokens --tokenizer gpt2 --decode -",
		RunE: func(cmd *cobra.Command, args []string) error { return tokens(cmd, &o, args[0]) },
	}
	f := cmd.Flags()
	f.StringVar(&o.tokenizer, "tokenizer", "", "clip, gpt2, or the `folder` of a tokenizer")
	f.StringVar(&o.clean, "clean", "openai", "how CLIP's texts are cleaned: openai or hf")
	f.BoolVar(&o.special, "special", false, "add CLIP's start and end, as models get them")
	f.BoolVar(&o.decode, "decode", false, "read ids, print texts")
	f.IntVar(&o.cut, "length", 0, "cut texts to `N` ids, those of --special included; 0: do not")
	cmd.MarkFlagRequired("tokenizer")
	return cmd
}

// textCoder is what both kinds of tokenizers do.
type textCoder struct {
	encode func(text string) []int32
	decode func(ids []int32) string
}

func (o *tokensOptions) open() (*textCoder, error) {
	clean, ok := map[string]bpe.Cleaning{"openai": bpe.OpenAI, "hf": bpe.HuggingFace}[o.clean]
	if !ok {
		return nil, cli.Usage(fmt.Errorf("--clean %q: want openai or hf", o.clean))
	}
	if least := map[bool]int{false: 0, true: 2}[o.special]; o.cut < 0 || o.cut > 0 && o.cut < least {
		return nil, cli.Usage(fmt.Errorf("--length %d: want %d or more", o.cut, max(least, 1)))
	}
	isCLIP := o.tokenizer == "clip"
	var err error
	if !isCLIP && o.tokenizer != "gpt2" {
		st, serr := os.Stat(o.tokenizer)
		if isCLIP = serr == nil && !st.IsDir(); !isCLIP { // a file is bpe_simple_vocab_16e6.txt.gz
			if isCLIP, err = bpe.IsCLIP(o.tokenizer); err != nil {
				return nil, cli.BadInput(err)
			}
		}
	}
	if isCLIP {
		return o.clip(clean)
	}
	if o.special {
		return nil, cli.Usage(fmt.Errorf("--special: GPT-2's texts have no start and end of their own"))
	}
	var g *bpe.GPT2
	if o.tokenizer == "gpt2" {
		g, err = bpe.OwnGPT2()
	} else {
		g, err = bpe.LoadGPT2(o.tokenizer)
	}
	if err != nil {
		return nil, cli.BadInput(err)
	}
	return &textCoder{func(text string) []int32 {
		if o.cut > 0 {
			return g.EncodeCut(text, o.cut)
		}
		return g.Encode(text)
	}, g.Decode}, nil
}

func (o *tokensOptions) clip(clean bpe.Cleaning) (*textCoder, error) {
	var t *bpe.Tokenizer
	var err error
	if o.tokenizer == "clip" {
		t, err = bpe.CLIP(clean)
	} else {
		t, err = bpe.Load(o.tokenizer, clean)
	}
	if err != nil {
		return nil, cli.BadInput(err)
	}
	return &textCoder{func(text string) []int32 {
		ids := t.Encode(text)
		if !o.special {
			if o.cut > 0 {
				ids = ids[:min(len(ids), o.cut)]
			}
			return ids
		}
		if o.cut > 0 {
			ids = ids[:min(len(ids), o.cut-2)]
		}
		return append(append([]int32{t.Start()}, ids...), t.End())
	}, t.Decode}, nil
}

func tokens(cmd *cobra.Command, o *tokensOptions, path string) error {
	c, err := o.open()
	if err != nil {
		return err
	}
	in := cmd.InOrStdin()
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return cli.BadInput(err)
		}
		defer f.Close()
		in = f
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, 1<<16), maxLine)
	out := bufio.NewWriter(cmd.OutOrStdout())
	n := 0
	for lines.Scan() {
		n++
		if cmd.Context().Err() != nil {
			return cmd.Context().Err()
		}
		if err := c.line(out, lines.Text(), o.decode); err != nil {
			return cli.BadInput(fmt.Errorf("%s: line %d: %w", path, n, err))
		}
	}
	if err := lines.Err(); err != nil {
		return cli.BadInput(fmt.Errorf("%s: line %d: %w: want lines of at most %d bytes", path, n+1, err, maxLine))
	}
	return out.Flush()
}

// line writes one text's ids, or one line of ids as text.
func (c *textCoder) line(out io.StringWriter, text string, decode bool) error {
	if decode {
		var ids []int32
		for _, word := range strings.Fields(text) {
			id, err := strconv.ParseInt(word, 10, 32)
			if err != nil {
				return fmt.Errorf("%.40q: want ids", word)
			}
			ids = append(ids, int32(id))
		}
		_, err := out.WriteString(c.decode(ids) + "\n")
		return err
	}
	var b strings.Builder
	for i, id := range c.encode(text) {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(strconv.Itoa(int(id)))
	}
	_, err := out.WriteString(b.String() + "\n")
	return err
}

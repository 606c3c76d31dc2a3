// Package world is the embedded world that SynTIC runs on by default: small pictures drawn by code, what people say of them, and where
// the things in them are. It needs no file and no engine; every picture and every word is a pure function of a seed.
//
//	scene.go     Scene and Thing; the kinds, colours, backgrounds, domains and splits
//	sample.go    Sample: scene i of a split; Composition decides the split
//	render.go    Renderer: a scene to 64×64 RGB; canvas.go scan conversion; develop.go light, noise, grain
//	kinds.go     what each kind looks like, made of the contours of shape.go; palette.go its colours; backdrop.go what is behind
//	box.go       Boxes: the box and kind of every thing; degrade.go spoils pictures, for training a detector
//	caption.go   Captions: the grammar; lexicon.go the words of each domain; web.go WebTexts: noisy texts for the zero-shot rows
//	fingerprint.go  Fingerprint: do weights still belong to this world?
//	sheet.go     Picture, Sheet: images for people
//
// # Scenes
//
// A scene has one, two or three things (55, 35, 10 %) of different kinds, each of one of 24 kinds, 8 colours and 2 sizes, in front of
// one of 6 backgrounds: alone, side by side, one above the other, or in a triangle. A domain is a manner of drawing and of speaking:
// Photo is shaded, has shadows, a colour cast and sensor noise; Crayon is flat strokes on grained paper with a wavering line.
//
// # Captions
//
// Captions of a scene are true, lower case, without punctuation and at most 20 words. Speakers differ in what they leave out (in photos
// size is said of 35 % of the things, colour of 82 %, the place in 65 % of the captions; of two things 8 % name one, of three 25 % name
// two), in whom they name first, in words and in phrasing, so the references of one scene disagree. The domains use 110 and 119
// words and share 69 of them.
//
// # Splits
//
// A composition is the set of (kind, colour) pairs of a scene with its background. A hash of it gives 80 % of all compositions to Web
// (pre-training) and Train (the method), 8 % to Val, 12 % to Test, for both domains alike. So whatever is seen in Test has parts that
// were seen before, in a combination that never was. Web and Train draw different scenes from the same compositions.
//
// # Looking at it
//
// After a change of a drawing write contact sheets and look at them:
//
//	go test ./syntic/world -run Sheets -sheets DIR
package world

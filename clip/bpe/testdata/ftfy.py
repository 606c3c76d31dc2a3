"""Writes ftfy.json: clean and broken texts and what ftfy 6.3.1 makes of them. The first 900 rows are kept, gzipped."""
import ftfy, html, json, random
random.seed(5)
ws="a café crème naïve façade Straße Ünïcode Привет мир Собака Žluťoučký kůň Ελλάδα γάτα 猫が走る 😀 ❤️ don’t “quote” it… – — £5 €10 20°C ½ × ©2020 ™ Señor niño Ação não Çiçek İstanbul Łódź ñandú École MARQUÉ… “CAFÉ” Àla Å ångström ø 5µm".split()
out=[]
for i in range(3000):
    s=" ".join(random.choice(ws) for _ in range(random.randint(1,6)))
    k=i%6
    try:
        if k==1: s=s.encode('utf8').decode('sloppy-windows-1252')
        if k==2: s=s.encode('utf8').decode('latin-1')
        if k==3: s=s+" "+random.choice(ws).encode('utf8').decode('sloppy-windows-1252')
        if k==4: s=s.encode('utf8').decode(random.choice(['sloppy-windows-1251','macroman','cp437','sloppy-windows-1250']))
        if k==5: s=s.encode('utf8').decode('sloppy-windows-1252').encode('utf8').decode('sloppy-windows-1252')
    except Exception: pass
    out.append([k,s,ftfy.fix_text(s)])
json.dump(out,open('ftfy.json','w'))

import os, sys
text = b""
while len(text) < int(sys.argv[1]):
    part = os.read(0, int(sys.argv[1]) - len(text))
    if not part:
        sys.exit("the satellite is gone")
    text += part
exec(compile(text, "<plughost>", "exec"))

"""Writes tars.json: the same members as Python's tarfile packs them in each of its formats, as base64."""

import base64
import io
import json
import tarfile

long_name = "/".join(["directory-" + "x" * 40] * 6) + "/é.bin"
written = {}
for name, form in [("ustar", tarfile.USTAR_FORMAT), ("gnu", tarfile.GNU_FORMAT), ("pax", tarfile.PAX_FORMAT)]:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz", format=form) as tar:
        folder = tarfile.TarInfo("folder")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        names = ["folder/a.bin", "folder/empty", "d" * 90 + "/" + "f" * 90]
        for member in names if form == tarfile.USTAR_FORMAT else names + [long_name]:
            info = tarfile.TarInfo(member)
            info.size = 0 if member.endswith("empty") else 600
            info.mtime = 1.5 if form == tarfile.PAX_FORMAT else 1
            tar.addfile(info, io.BytesIO(bytes(i % 251 for i in range(info.size))))
        link = tarfile.TarInfo("folder/link")
        link.type = tarfile.SYMTYPE
        link.linkname = "a.bin"
        tar.addfile(link)
        last = tarfile.TarInfo("last")
        last.size = 1
        tar.addfile(last, io.BytesIO(b"z"))
    written[name] = base64.b64encode(file.getvalue()).decode()
with open("tars.json", "w") as out:
    json.dump(written, out, indent=2)
    out.write("\n")

"""Shell that fetches weights into a folder, run on the machine that needs them.

`.complete` is the last thing written, to a folder or to a bucket: what lacks it is fetched again, and the
tools go on where they were cut off. A lock beside the folder makes others on the machine wait. How many
bytes came is told in the file named by $BOUTED_BROUGHT, where there is one: 0 by those that only waited.
"""

_ALONE = """set -eu
brought() { if test -n "${BOUTED_BROUGHT:-}"; then echo "$1" >"$BOUTED_BROUGHT"; fi; }
size() { du -sb "$1" | cut -f1; }
mkdir -p "$1"
exec 9>"$1.lock"
flock 9
if test -e "$1/.complete"; then brought 0; exit 0; fi
before="$(size "$1")"
"""
_DONE = """touch "$1/.complete"
brought "$(($(size "$1") - before))"
"""
# Copies of the same weights in other formats would double the download.
_DOWNLOAD = """if ! command -v hf >/dev/null; then
  echo "hf is not on this machine: it comes with huggingface_hub" >&2
  exit 1
fi
if ! hf download "$2" --local-dir "$1" --quiet --exclude "*.gguf" --exclude "*.pth" --exclude "metal/*" \
  --exclude "consolidated*.safetensors" --exclude "original/*" >/dev/null; then
  if ! printenv HF_TOKEN >/dev/null; then echo "no HF_TOKEN: is $2 gated? hf_token_file names a token" >&2; fi
  exit 1
fi
"""
_TOOLS = {
    "s3": (
        'aws s3 sync --only-show-errors --exclude ".cache/*" --exclude ".complete"',
        "aws s3 cp --only-show-errors",
        "aws s3 ls",
    ),
    "gs": (
        'gcloud storage rsync -r --exclude="[.]cache/.*|[.]complete"',
        "gcloud storage cp",
        "gcloud storage ls",
    ),
}
"""Per kind of bucket: all but a folder's own marks, one file, is it there."""


def bucket_script(url: str, folder: str) -> tuple[str, ...]:
    """Copy what is under `url` into `folder`."""
    sync, _, _ = _TOOLS[url[:2]]
    tool = sync.split()[0]
    lacks = f'echo "{tool} is not on this machine" >&2'
    check = f"if ! command -v {tool} >/dev/null; then {lacks}; exit 1; fi\n"
    return _script(f'{_ALONE}{check}{sync} "$2" "$1"\n{_DONE}', folder, url)


def hub_script(repository: str, folder: str, bucket: str) -> tuple[str, ...]:
    """Download a hub's repository into `folder`: from its copy at `bucket` where that is complete, and
    otherwise from the hub, making that copy.

    A bucket that cannot be written costs the next start its time, not this one its success.
    """
    if not bucket:
        return _script(f"{_ALONE}{_DOWNLOAD}{_DONE}", folder, repository)
    sync, copy, look = _TOOLS[bucket[:2]]
    fill = f'{sync} "$1" "$3" && {copy} "$1/.complete" "$3/.complete"'
    return _script(
        f'{_ALONE}if {look} "$3/.complete" >/dev/null 2>&1; then\n{sync} "$3" "$1"\n{_DONE}exit 0\nfi\n'
        f'{_DOWNLOAD}{_DONE}if ! ( {fill} ); then echo "$3 could not be filled" >&2; fi\n',
        folder, repository, bucket,
    )  # fmt: skip


def _script(text: str, *args: str) -> tuple[str, ...]:
    return ("/bin/sh", "-c", text, "fetch", *args)

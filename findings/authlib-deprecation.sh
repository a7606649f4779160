#!/bin/sh
# Authlib 1.9.10 with httpx 0.28.1 on CPython 3.11.7: a warning at import that no setting of Python's silences or raises.
#
# `import authlib.integrations.httpx_client` says on stderr that "the httpx module is deprecated; please use httpx2 instead"
# wherever httpx2 is not installed. It means another distribution, which Authlib's metadata does not ask for; httpx itself
# says nothing of the kind. `python -W ignore`, `-W error` and PYTHONWARNINGS, with which users silence warnings and test
# suites fail at them, change nothing: when it is imported, Authlib puts a filter of its own, "always", in front of theirs.
# Who wants silence, or a failure, has to set a filter for AuthlibDeprecationWarning after `import authlib.deprecate` and
# before the integration is imported.
#
# Output seen:
#   python: imported, 1 warning
#   python -W ignore: imported, 1 warning
#   python -W error: imported, 1 warning
#   PYTHONWARNINGS=ignore: imported, 1 warning
#   a filter after authlib.deprecate: imported, 0 warnings
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check authlib==1.9.10 httpx==0.28.1
python="$folder/venv/bin/python"
integration="import authlib.integrations.httpx_client; print('imported')"
filtered="import warnings; from authlib.deprecate import AuthlibDeprecationWarning as W"

seen() {
    name=$1
    shift
    said=$("$@" 2> "$folder/stderr") || said=failed
    count=$(grep -c "AuthlibDeprecationWarning: The httpx module is deprecated; please use httpx2" "$folder/stderr" || true)
    case $count in 1) echo "$name: $said, 1 warning" ;; *) echo "$name: $said, $count warnings" ;; esac
}
{
    seen "python" "$python" -c "$integration"
    seen "python -W ignore" "$python" -W ignore -c "$integration"
    seen "python -W error" "$python" -W error -c "$integration"
    seen "PYTHONWARNINGS=ignore" env PYTHONWARNINGS=ignore "$python" -c "$integration"
    seen "a filter after authlib.deprecate" "$python" -c "$filtered; warnings.simplefilter('ignore', W); $integration"
} | tee "$folder/seen"
cat > "$folder/expected" <<'EXPECTED'
python: imported, 1 warning
python -W ignore: imported, 1 warning
python -W error: imported, 1 warning
PYTHONWARNINGS=ignore: imported, 1 warning
a filter after authlib.deprecate: imported, 0 warnings
EXPECTED
diff "$folder/expected" "$folder/seen"

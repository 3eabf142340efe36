#!/bin/bash
# Starts a container with the Ascend devices of this machine: docker_start.sh [--dry_run] IMAGE DATA_DIR MODEL_DIR [COMMAND]...
#   --dry_run  shows the command of docker, which need not be installed, and starts nothing; behind MODEL_DIR too
#   IMAGE      image that `docker build -t IMAGE . --build-arg FROM_IMAGE_NAME=...` has made
#   DATA_DIR   folder of the data
#   MODEL_DIR  folder that training writes into and the container starts in, e.g. this suite's
#   COMMAND    what to run in it; a shell by default
# Both folders and this repository are in the container under their own paths. Of the devices and the driver, those that are here.
set -euo pipefail

die() {
  echo "$(basename -- "$0"): $*" >&2
  exit 2
}

# Prints the options for devices and driver, one a line.
ascend_options() {
  local path
  for path in /dev/davinci[0-9]* /dev/davinci_manager /dev/devmm_svm /dev/hisi_hdc; do
    [[ ! -e "$path" ]] || echo "--device=$path"
  done
  for path in /usr/local/Ascend/driver /usr/local/Ascend/add-ons /usr/local/dcmi /usr/local/bin/npu-smi \
    /usr/local/sbin/npu-smi /etc/ascend_install.info /etc/hccn.conf; do
    [[ ! -e "$path" ]] || echo "--volume=$path:$path:ro"
  done
  [[ ! -d /var/log/npu ]] || echo "--volume=/var/log/npu:/usr/slog"
}

main() {
  local -a start=(exec)
  local usage
  usage="usage: $(basename -- "$0") [--dry_run] IMAGE DATA_DIR MODEL_DIR [COMMAND]..."
  if [[ "${1:-}" == -h || "${1:-}" == --help ]]; then
    echo "$usage"
    exit
  fi
  if [[ "${4:-}" == --dry[_-]run ]]; then # what stands behind it is COMMAND's own
    set -- "$4" "${@:1:3}" "${@:5}"
  fi
  if [[ "${1:-}" == --dry[_-]run ]]; then
    start=(printf '%q ')
    shift
  fi
  [[ "${1:-}" != -* ]] || die "'$1' is no option here; $usage"
  (( $# >= 3 )) || die "$usage"
  [[ "${4:-}" != -* ]] || die "'$4' stands where COMMAND begins, which is a program and its arguments; $usage"
  local image=$1 data model root folder
  local -a options=(--ipc=host --interactive)
  data=$(realpath -e -- "$2" 2> /dev/null) && [[ -d "$data" ]] || die "DATA_DIR '$2' is no folder"
  model=$(realpath -e -- "$3" 2> /dev/null) && [[ -d "$model" ]] || die "MODEL_DIR '$3' is no folder"
  root=$(realpath -- "$(dirname -- "${BASH_SOURCE[0]}")/../..")
  [[ "${start[0]}" != exec ]] || command -v docker > /dev/null || die "docker is not installed here"
  [[ ! -t 0 ]] || options+=(--tty)
  mapfile -t -O "${#options[@]}" options < <(ascend_options)
  [[ "${options[*]}" == *--device=* ]] || echo "$(basename -- "$0"): no Ascend device here: commands in the container take --device_target=CPU" >&2
  for folder in "$root" "$data" "$model"; do
    [[ "$folder" != *:* ]] || die "'$folder' holds a colon, which docker cannot mount: rename it"
    [[ " ${options[*]} " == *" --volume=$folder:$folder "* ]] || options+=("--volume=$folder:$folder")
  done
  "${start[@]}" docker run "${options[@]}" --workdir="$model" "$image" "${@:4}"
  echo # the end of what was shown; exec does not come back
}

main "$@"


_codexlb() {
  local kind= word _
  COMPREPLY=()
  # The words are passed as typed: nothing of the line is evaluated.
  while IFS=$'\t' read -r word _; do
    if [[ -z $kind ]]; then
      kind=$word
    else
      COMPREPLY+=("$word")
    fi
  done < <(command codexlb __complete bash "$((COMP_CWORD - 1))" "${COMP_WORDS[@]:1}" 2>/dev/null </dev/null)
  case $kind in
    directories) compopt -o dirnames 2>/dev/null ;;
    files) compopt -o default 2>/dev/null ;;
  esac
}

if type compopt >/dev/null 2>&1; then
  complete -F _codexlb codexlb
else
  # The bash of macOS has no compopt, so it cannot change its options here.
  complete -o default -F _codexlb codexlb
fi

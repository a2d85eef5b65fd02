
_codexlb() {
  local -a answer words_shown
  local line word description
  # Quotes are removed, and nothing is evaluated.
  answer=("${(@f)$(command codexlb __complete zsh $((CURRENT - 2)) "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null </dev/null)}")
  case $answer[1] in
    directories)
      [[ $PREFIX != -* ]] || compset -P '*='
      _files -/
      ;;
    files)
      [[ $PREFIX != -* ]] || compset -P '*='
      _files
      ;;
    words)
      for line in "${(@)answer[2,-1]}"; do
        word=${line%%$'\t'*}
        description=${line#*$'\t'}
        words_shown+=("${word//:/\\:}${description:+:$description}")
      done
      _describe -t codexlb codexlb words_shown
      ;;
  esac
}

if [[ $funcstack[1] == _codexlb ]]; then
  _codexlb "$@"
else
  compdef _codexlb codexlb
fi


# Calls codexlb once per completion. True if the answer is not files, which fish completes itself.
function __codexlb_asked
    # Quotes are removed, and nothing is evaluated.
    set -l before (commandline -opc)
    set -e before[1]
    set -l current (commandline -ct)
    set -l answer (command codexlb __complete fish (count $before) $before $current 2>/dev/null </dev/null)
    set -g __codexlb_words $answer[2..-1]
    switch "$answer[1]"
        case files
            return 1
        case directories
            set -l flag (string match -r -- '^-[^=]*=' $current)
            set -g __codexlb_words "$flag"(__fish_complete_directories (string replace -r -- '^-[^=]*=' '' $current) '')
    end
end

complete -c codexlb -n __codexlb_asked -f -k -a '(printf "%s\n" $__codexlb_words)'

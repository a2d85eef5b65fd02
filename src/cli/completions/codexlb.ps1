
Register-ArgumentCompleter -Native -CommandName codexlb -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    # Nothing of the line is evaluated: anything other than plain text is passed as typed.
    $before = @($commandAst.CommandElements | Select-Object -Skip 1 |
        Where-Object { $_.Extent.EndOffset -lt $cursorPosition } |
        ForEach-Object { if ($_ -is [System.Management.Automation.Language.StringConstantExpressionAst]) { $_.Value } else { $_.Extent.Text } })
    $answer = @(& (Get-Command codexlb -CommandType Application | Select-Object -First 1) __complete powershell $before.Count @before $wordToComplete 2>$null)
    if ($answer.Count -eq 0) { return '' }
    if ($answer[0] -ne 'words') { return }
    if ($answer.Count -eq 1) { return '' }
    $answer | Select-Object -Skip 1 | ForEach-Object {
        $word, $description = $_ -split "`t", 2
        if (-not $description) { $description = $word }
        [System.Management.Automation.CompletionResult]::new($word, $word, 'ParameterValue', $description)
    }
}

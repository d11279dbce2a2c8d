// Each script finds out which subcommand it is in ("/policy/show"), then looks at the word before
// the cursor: after an option with a value come its values, else options, subcommands and
// arguments.

#include "cli/completion.hpp"

#include <fmt/format.h>

#include "cli/shell_word.hpp"

namespace brownout::cli {
namespace {

std::string place(const CommandModel& command) {
  std::string text;
  for (const std::string& name : command.path) text += "/" + name;
  return text;
}

// Every place but the program itself, as alternatives of a pattern.
std::string places(const std::vector<CommandModel>& commands, std::string_view separator) {
  std::string text;
  for (const CommandModel& command : commands) {
    if (command.path.empty()) continue;
    text += fmt::format("{}{}", text.empty() ? "" : separator, place(command));
  }
  return text;
}

std::string joined(const std::vector<std::string>& words) {
  return fmt::format("{}", fmt::join(words, " "));
}

const CommandModel& subcommand(const std::vector<CommandModel>& commands,
                               const CommandModel& command, const std::string& name) {
  std::vector<std::string> path = command.path;
  path.push_back(name);
  for (const CommandModel& other : commands) {
    if (other.path == path) return other;
  }
  return command;
}

// What may come where no option's value is due.
Values arguments_of(const CommandModel& command) {
  Values all;
  all.words = command.subcommands;
  for (const PositionalModel& positional : command.positionals) {
    all.files = all.files || positional.values.files;
    all.words.insert(all.words.end(), positional.values.words.begin(),
                     positional.values.words.end());
  }
  return all;
}

// --- bash ----------------------------------------------------------------------------------------

std::string bash_values(const CommandModel& command) {
  std::string text;
  for (const OptionModel& option : command.options) {
    if (option.value.empty()) continue;
    std::string patterns;
    for (const std::string& name : option.names) {
      patterns += fmt::format("{}\"{} {}\"", patterns.empty() ? "" : " | ", place(command), name);
    }
    text += fmt::format("    {}) words='{}' files={} ;;\n", patterns, joined(option.values.words),
                        option.values.files ? "1" : "");
  }
  return text;
}

std::string bash_arguments(const CommandModel& command) {
  std::string options;
  for (const OptionModel& option : command.options) {
    options += (options.empty() ? "" : " ") + joined(option.names);
  }
  const Values values = arguments_of(command);
  return fmt::format("        '{}') options='{}' words='{}' files={} ;;\n", place(command), options,
                     joined(values.words), values.files ? "1" : "");
}

// --- zsh -----------------------------------------------------------------------------------------

// "name:description" as _describe wants it.
std::string zsh_item(const std::string& name, const std::string& description) {
  std::string text;
  for (const char letter : name) text += letter == ':' ? "\\:" : std::string(1, letter);
  return shell_word(text + ":" + description);
}

std::string zsh_values(const CommandModel& command) {
  std::string text;
  for (const OptionModel& option : command.options) {
    if (option.value.empty()) continue;
    std::string patterns;
    for (const std::string& name : option.names) {
      patterns += fmt::format("{}\"{} {}\"", patterns.empty() ? "" : "|", place(command), name);
    }
    const std::string action = option.values.files ? "_files"
                               : option.values.words.empty()
                                   ? "_message -r " + shell_word(option.value)
                                   : "compadd -- " + joined(option.values.words);
    text += fmt::format("    ({}) {}; return ;;\n", patterns, action);
  }
  return text;
}

std::string zsh_arguments(const std::vector<CommandModel>& commands, const CommandModel& command) {
  std::string text = fmt::format("    ('{}')\n      own_options=(\n", place(command));
  for (const OptionModel& option : command.options) {
    for (const std::string& name : option.names) {
      text += "        " + zsh_item(name, option.description) + "\n";
    }
  }
  text += "      )\n      own_items=(\n";
  for (const std::string& name : command.subcommands) {
    text += "        " + zsh_item(name, subcommand(commands, command, name).description) + "\n";
  }
  text += "      )\n";
  const Values values = arguments_of(command);
  if (command.subcommands.empty() && !values.words.empty()) {
    text += fmt::format("      own_names=({})\n", joined(values.words));
  }
  if (values.files) text += "      files=1\n";
  return text + "      ;;\n";
}

// --- fish ----------------------------------------------------------------------------------------

std::string fish_text(const std::string& text) {
  std::string quoted = "'";
  for (const char letter : text) {
    if (letter == '\'' || letter == '\\') quoted += '\\';
    quoted += letter;
  }
  return quoted + "'";
}

std::string fish_option(const CommandModel& command, const OptionModel& option) {
  std::string text = fmt::format("complete -c brownout -n '__brownout_at \"{}\"'", place(command));
  for (const std::string& name : option.names) {
    const bool is_long = name.starts_with("--");
    text += (is_long ? " -l " : " -s ") + name.substr(is_long ? 2 : 1);
  }
  if (!option.value.empty()) text += option.values.files ? " -r -F" : " -x";
  if (!option.values.words.empty()) text += " -a " + fish_text(joined(option.values.words));
  return text + " -d " + fish_text(option.description) + "\n";
}

std::string fish_arguments(const std::vector<CommandModel>& commands, const CommandModel& command) {
  const std::string condition =
      fmt::format("complete -c brownout -n '__brownout_at \"{}\"'", place(command));
  std::string text;
  for (const std::string& name : command.subcommands) {
    text += fmt::format("{} -a {} -d {}\n", condition, name,
                        fish_text(subcommand(commands, command, name).description));
  }
  const Values values = arguments_of(command);
  if (command.subcommands.empty() && !values.words.empty()) {
    text += fmt::format("{} -a {}\n", condition, fish_text(joined(values.words)));
  }
  if (values.files) text += condition + " -F\n";
  return text;
}

}  // namespace

std::string bash_completion(const std::vector<CommandModel>& commands) {
  std::string text =
      fmt::format(R"(# bash completion for brownout, written by: brownout completion bash
_brownout() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}}
  local at= word= words= options= files=
  # Bash takes --option=value apart.
  if [[ $current == = ]]; then
    current=
  elif [[ $previous == = ]]; then
    previous=${{COMP_WORDS[COMP_CWORD-2]}}
  fi
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    case "$at/$word" in
      {}) at=$at/$word ;;
    esac
  done
  case "$at $previous" in
)",
                  places(commands, " | "));
  for (const CommandModel& command : commands) text += bash_values(command);
  text += "    *)\n      case $at in\n";
  for (const CommandModel& command : commands) text += bash_arguments(command);
  return text + R"(      esac
      if [[ $current == -* ]]; then words=$options files=; fi
      ;;
  esac
  mapfile -t COMPREPLY < <(
    compgen -W "$words" -- "$current"
    [[ -z $files ]] || compgen -f -- "$current"
  )
  # Fails where nothing is being completed, as in a test.
  if [[ $files ]]; then compopt -o filenames 2>/dev/null; fi
  return 0
}
complete -F _brownout brownout
)";
}

std::string zsh_completion(const std::vector<CommandModel>& commands) {
  std::string text = fmt::format(R"(#compdef brownout
# zsh completion for brownout, written by: brownout completion zsh
_brownout() {{
  local at= files=
  local -a own_options own_items own_names
  local -i i
  for ((i = 2; i < CURRENT; i++)); do
    case "$at/${{words[i]}}" in
      ({}) at=$at/${{words[i]}} ;;
    esac
  done
  case "$at ${{words[CURRENT-1]}}" in
)",
                                 places(commands, "|"));
  for (const CommandModel& command : commands) text += zsh_values(command);
  text += "  esac\n  case $at in\n";
  for (const CommandModel& command : commands) text += zsh_arguments(commands, command);
  return text + R"(  esac
  if [[ $PREFIX == -* ]]; then
    _describe -o option own_options
    return
  fi
  if (( $#own_items )); then _describe command own_items; fi
  if (( $#own_names )); then compadd -- $own_names; fi
  if [[ -n $files ]]; then _files; fi
}
if [[ $funcstack[1] == _brownout ]]; then
  _brownout "$@"
else
  compdef _brownout brownout
fi
)";
}

std::string fish_completion(const std::vector<CommandModel>& commands) {
  std::string text =
      fmt::format(R"(# fish completion for brownout, written by: brownout completion fish
function __brownout_at
    set -l at ''
    for word in (commandline -opc)[2..-1]
        switch "$at/$word"
            case {}
                set at "$at/$word"
        end
    end
    test "$at" = "$argv[1]"
end
complete -c brownout -f
)",
                  places(commands, " "));
  for (const CommandModel& command : commands) {
    text += fish_arguments(commands, command);
    for (const OptionModel& option : command.options) text += fish_option(command, option);
  }
  return text;
}

}  // namespace brownout::cli

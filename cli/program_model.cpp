#include "cli/program_model.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "cli/options.hpp"
#include "reports/glossary/glossary.hpp"

namespace brownout::cli {
namespace {

// As one word each, for shells.
std::vector<std::string> glossary_names() {
  std::vector<std::string> names;
  for (const reports::Entry& entry : reports::glossary()) {
    std::string name(entry.name);
    std::ranges::replace(name, ' ', '-');
    if (std::ranges::find(names, name) == names.end()) names.push_back(std::move(name));
  }
  return names;
}

Values values_of(const CLI::Option& option, bool positional) {
  Values values;
  values.words = words_of(option);
  if (!values.words.empty()) return values;
  const std::string type = positional ? option.get_name() : option.get_type_name();
  if (type == "WORD") {
    values.words = glossary_names();
  } else {
    values.files = positional || type == "FILE" || type == "OUT" || type == "DIR";
  }
  return values;
}

OptionModel option_model(const CLI::Option& option) {
  OptionModel model;
  for (const std::string& name : option.get_snames()) model.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) model.names.push_back("--" + name);
  model.description = option.get_description();
  if (option.get_items_expected_max() == 0) return model;
  model.value = option.get_type_name();
  model.values = values_of(option, false);
  return model;
}

PositionalModel positional_model(const CLI::Option& option) {
  return {option.get_name(), option.get_description(), option.get_required(),
          option.get_items_expected_max() > 1, values_of(option, true)};
}

void add_models(const CLI::App& app, std::vector<std::string> path,
                std::vector<CommandModel>& models) {
  CommandModel model;
  model.path = path;
  model.description = app.get_description();
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group().empty()) continue;
    if (option->nonpositional()) {
      model.options.push_back(option_model(*option));
    } else {
      model.positionals.push_back(positional_model(*option));
    }
  }
  const auto shown =
      app.get_subcommands([](const CLI::App* sub) { return !sub->get_group().empty(); });
  for (const CLI::App* sub : shown) model.subcommands.push_back(sub->get_name());
  models.push_back(std::move(model));
  for (const CLI::App* sub : shown) {
    path.push_back(sub->get_name());
    add_models(*sub, path, models);
    path.pop_back();
  }
}

}  // namespace

std::vector<CommandModel> model_of(const CLI::App& program) {
  std::vector<CommandModel> models;
  add_models(program, {}, models);
  return models;
}

}  // namespace brownout::cli

// A design compiled from what Yosys' write_cxxrtl makes of it. Ports and memories have names; so
// does everything else with a name of its own if it was written with -g4.
#pragma once

#include "model_cxxrtl.cpp"
#if defined(MODEL_VCD)
#include <cxxrtl/cxxrtl_vcd.h>
#include <fstream>
#endif

class Model {
public:
  Model() {
    top.debug_info(&items, nullptr, "");
    for (auto &[path, parts] : items.table) {
      cxxrtl::debug_item &item = parts.front();
      if (item.curr == nullptr || parts.size() != 1 || item.lsb_at != 0) continue;
      Words words;
      words.bytes = reinterpret_cast<uint8_t *>(item.curr);
      words.width = item.width;
      words.depth = item.depth;
      words.stride = (item.width + 31) / 32 * 4;
      // Ports have no path before their names; memories' names are unique.
      const size_t space = path.rfind(' ');
      if (space == std::string::npos || item.type == CXXRTL_MEMORY)
        named[path.substr(space + 1)] = words;
    }
  }

  ~Model() {
#if defined(MODEL_VCD)
    flush();
#endif
  }

  Words at(const std::string &name) const {
    const auto found = named.find(name);
    if (found == named.end()) fail("the compiled design has no public " + name);
    return found->second;
  }

  void eval() {
    top.step();
#if defined(MODEL_VCD)
    if (file.is_open()) {
      vcd.sample(time);
      time += 5;
      if (vcd.buffer.size() > 1 << 20) flush();
    }
#endif
  }

  void record(const std::string &path) {
#if defined(MODEL_VCD)
    file.open(path);
    if (!file) fail("waveform " + path + " cannot be written");
    vcd.timescale(1, "ns");
    top.debug_info(&recorded, nullptr, "top ");
    vcd.add_without_memories(recorded);
#else
    fail("compiled without waveforms, so " + path + " cannot be written");
#endif
  }

private:
  cxxrtl_design::p_top top;
  cxxrtl::debug_items items;
  std::map<std::string, Words> named;
#if defined(MODEL_VCD)
  void flush() {
    file << vcd.buffer;
    vcd.buffer.clear();
  }
  cxxrtl::debug_items recorded;
  cxxrtl::vcd_writer vcd;
  std::ofstream file;
  uint64_t time = 0;
#endif
};

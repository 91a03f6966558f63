// What every compiled design looks like to a program that drives it: words with names, and eval().
//
// A program includes "model.hpp"; which simulator is behind it is decided where it is compiled:
// -DMODEL_VERILATOR or -DMODEL_CXXRTL, and -DMODEL_VCD or -DMODEL_FST for one that can record.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>

// A message for the user on stderr, in one line; Python shows it as it stands.
[[noreturn]] inline void fail(const std::string &message) {
  std::fflush(stdout);
  std::fprintf(stderr, "%s\n", message.c_str());
  std::exit(3);
}

// A port, a register or a memory: `depth` words of `width` bits, each in `stride` bytes, the lowest
// byte first. Bits above `width` are 0 and have to stay so.
struct Words {
  uint8_t *bytes = nullptr;
  size_t width = 0, depth = 0, stride = 0;

  // Word `index`, or its lowest 64 bits.
  uint64_t get(size_t index = 0) const {
    uint64_t value = 0;
    switch (stride) {
    case 1: return bytes[index];
    case 2: { uint16_t v; std::memcpy(&v, bytes + 2 * index, 2); return v; }
    case 4: { uint32_t v; std::memcpy(&v, bytes + 4 * index, 4); return v; }
    }
    std::memcpy(&value, bytes + index * stride, 8);
    return value;
  }

  // Its lowest 64 bits as a number with a sign, if it is no wider.
  int64_t get_signed(size_t index = 0) const {
    const int unused = 64 - int(width);
    return int64_t(get(index) << unused) >> unused;
  }

  // The whole word, ⌈width/8⌉ bytes.
  void read(uint8_t *to, size_t index = 0) const {
    std::memcpy(to, bytes + index * stride, (width + 7) / 8);
  }

  void set(uint64_t value, size_t index = 0) {
    std::memcpy(bytes + index * stride, &value, stride < 8 ? stride : 8);
  }

  void write(const uint8_t *from, size_t index = 0) {
    std::memcpy(bytes + index * stride, from, (width + 7) / 8);
  }

  // Bit `bit` of word `index`, turned over.
  void flip(size_t index, size_t bit) { bytes[index * stride + bit / 8] ^= 1 << bit % 8; }
};

#if defined(MODEL_VERILATOR)
#include "verilator_model.hpp"
#elif defined(MODEL_CXXRTL)
#include "cxxrtl_model.hpp"
#endif

// A board's design and its two wires. Programs that drive one come behind this text.

#include "model.hpp"

#include <algorithm>
#include <vector>

// What a program is told: little-endian words of 64 bits; bytes and strings stand behind how many
// they are, in whole words.
class Job {
public:
  explicit Job(const char *path) {
    std::FILE *file = std::fopen(path, "rb");
    if (!file) fail(std::string("cannot read ") + path);
    std::fseek(file, 0, SEEK_END);
    words.resize(std::ftell(file) / 8);
    std::rewind(file);
    if (std::fread(words.data(), 8, words.size(), file) != words.size())
      fail(std::string("cannot read ") + path);
    std::fclose(file);
  }

  bool ended() const { return at >= words.size(); }
  uint64_t word() { return words.at(at++); }
  std::vector<uint8_t> bytes() {
    const size_t length = word();
    const auto *first = reinterpret_cast<const uint8_t *>(words.data() + at);
    at += (length + 7) / 8;
    if (at > words.size()) fail("the job is cut short");
    return std::vector<uint8_t>(first, first + length);
  }
  std::string string() {
    const auto content = bytes();
    return std::string(content.begin(), content.end());
  }

private:
  std::vector<uint64_t> words;
  size_t at = 0;
};

// Begins with what its job does: cycles per bit, cycles before the first byte, how many memories
// there are, and of each its name, the bytes of a word and its content.
class Line {
public:
  explicit Line(Job &job) : divisor(job.word()) {
    const uint64_t settle = job.word();
    for (uint64_t memories = job.word(); memories--;) fill(job);
    rx.set(1);
    clk.set(0);
    model.eval();
    for (uint64_t n = 0; n < settle; ++n) cycle(1);
  }

  // One clock cycle with `level` on rx; a byte that ends in it is added to `answer`.
  void cycle(int level) {
    rx.set(level);
    clk.set(1);
    model.eval();
    clk.set(0);
    model.eval();
    ++cycles;
    const int heard = tx.get() & 1;
    if (!receiving) {
      if (heard) return;
      receiving = true;
      elapsed = bit = byte = 0;
      return;
    }
    if (++elapsed != divisor / 2 + bit * divisor) return;
    // Bit 0 is the start bit, which a glitch does not reach; bit 9 is the stop bit.
    if (bit == 0 && heard) receiving = false;
    if (bit >= 1 && bit <= 8) byte |= heard << (bit - 1);
    if (bit == 9) {
      if (!heard) fail("a byte that the design sent has no stop bit");
      answer.push_back(byte);
      receiving = false;
    }
    ++bit;
  }

  // The time of a byte, with nothing on rx.
  void rest() {
    for (uint64_t c = 0; c < 10 * divisor; ++c) cycle(1);
  }

  void send(uint8_t byte) {
    const unsigned frame = 0x200 | byte << 1;
    for (int n = 0; n < 10; ++n)
      for (uint64_t c = 0; c < divisor; ++c) cycle(frame >> n & 1);
  }

  Model model;
  std::vector<uint8_t> answer;
  uint64_t cycles = 0;

private:
  void fill(Job &job) {
    const std::string name = job.string();
    Words memory = model.at(name);
    const size_t word = job.word();
    const auto content = job.bytes();
    // Verilator takes words of one bit for the bits of one word, which lie as words do.
    if (word < (memory.width + 7) / 8 || (memory.depth > 1 && content.size() > word * memory.depth))
      fail("memory " + name + " has another size");
    for (size_t n = 0; n < content.size() / word; ++n) memory.write(&content[n * word], n);
  }

  uint64_t divisor;
  Words clk = model.at("clk"), rx = model.at("rx"), tx = model.at("tx");
  bool receiving = false;
  uint64_t elapsed = 0, bit = 0, byte = 0;
};

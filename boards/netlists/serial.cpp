// Speaks with a board's design over its two wires, turn by turn, and writes the answers to stdout.
//
//   serial JOB
//
// The file is little-endian words of 64 bits: cycles per bit, cycles before the first byte, cycles
// that an answer may take, how many memories there are; of each, its name and what it starts with;
// then turns: the bytes that are sent, and how many answer them. Bytes and words stand behind how
// many they are, bytes in whole words. For each turn there comes out: cycles so far, how many bytes answered, the bytes.
// An answer that does not come in time ends the run.

#include "model.hpp"

#include <vector>

static std::vector<uint64_t> read_words(const char *path) {
  std::FILE *file = std::fopen(path, "rb");
  if (!file) fail(std::string("cannot read ") + path);
  std::fseek(file, 0, SEEK_END);
  std::vector<uint64_t> words(std::ftell(file) / 8);
  std::rewind(file);
  if (std::fread(words.data(), 8, words.size(), file) != words.size())
    fail(std::string("cannot read ") + path);
  std::fclose(file);
  return words;
}

class Line {
public:
  explicit Line(uint64_t divisor)
      : divisor(divisor), clk(model.at("clk")), rx(model.at("rx")), tx(model.at("tx")) {
    rx.set(1);
    clk.set(0);
    model.eval();
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

  void send(uint8_t byte) {
    const unsigned frame = 0x200 | byte << 1;
    for (int n = 0; n < 10; ++n)
      for (uint64_t c = 0; c < divisor; ++c) cycle(frame >> n & 1);
  }

  Model model;
  std::vector<uint8_t> answer;
  uint64_t cycles = 0;

private:
  uint64_t divisor;
  Words clk, rx, tx;
  bool receiving = false;
  uint64_t elapsed = 0, bit = 0, byte = 0;
};

static void write_word(uint64_t word) { std::fwrite(&word, 8, 1, stdout); }

int main(int, char **arguments) {
  const auto job = read_words(arguments[1]);
  Line line(job[0]);
  size_t at = 4;
  for (size_t memories = job[3]; memories--;) {
    const size_t length = job[at++];
    Words memory =
        line.model.at(std::string(reinterpret_cast<const char *>(&job[at]), length));
    at += (length + 7) / 8;
    const size_t words = job[at++];
    for (size_t n = 0; n < words; ++n) memory.set(job[at + n], n);
    at += words;
  }
  for (uint64_t c = 0; c < job[1]; ++c) line.cycle(1);
  while (at < job.size()) {
    const size_t length = job[at++];
    const auto *bytes = reinterpret_cast<const uint8_t *>(&job[at]);
    for (size_t n = 0; n < length; ++n) line.send(bytes[n]);
    at += (length + 7) / 8;
    const size_t expected = job[at++];
    size_t had = line.answer.size();
    for (uint64_t waited = 0; line.answer.size() < expected && waited < job[2]; ++waited) {
      line.cycle(1);
      if (line.answer.size() > had) had = line.answer.size(), waited = 0;
    }
    const bool late = line.answer.size() < expected;
    write_word(line.cycles);
    write_word(line.answer.size());
    std::fwrite(line.answer.data(), 1, line.answer.size(), stdout);
    std::fflush(stdout);
    line.answer.clear();
    if (late) break;
  }
}

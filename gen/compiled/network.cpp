// Runs samples through a network, each alone, and writes what it saw of each to stdout.
//
//   network MEMORIES JOB
//
// Both files are little-endian words of 64 bits, a string or bytes in whole words behind their
// length; :mod:`spikewright.gen.compiled.jobs` writes them and reads the records.

#include "model.hpp"

#include <vector>

class Reader {
public:
  explicit Reader(const char *path) : path(path), file(std::fopen(path, "rb")) {
    if (!file) fail("cannot read " + this->path);
  }
  ~Reader() { std::fclose(file); }
  uint64_t word() {
    uint64_t value;
    take(&value, 8);
    return value;
  }
  std::vector<uint8_t> bytes() {
    const size_t length = word();
    std::vector<uint8_t> content((length + 7) / 8 * 8 + 8);
    take(content.data(), (length + 7) / 8 * 8);
    content.resize(length);
    return content;
  }
  std::string string() {
    const auto content = bytes();
    return std::string(content.begin(), content.end());
  }

private:
  void take(void *to, size_t length) {
    if (std::fread(to, 1, length, file) != length) fail(path + " is cut short");
  }
  std::string path;
  std::FILE *file;
};

struct Layer {
  std::string name;
  size_t steps, units, member_bits;
  Words valid, step, end, last, spikes, membranes;
  size_t row = 0, timestep = 0, timesteps = 0;
  std::vector<uint8_t> fired;
  std::vector<int64_t> seen;
};

struct Field {
  Words port;
  size_t bytes;
};

class Bench {
public:
  Bench(const char *memories, const char *job) : job(job) {
    Reader images(memories);
    for (size_t count = images.word(); count; count--) {
      const std::string name = images.string();
      const auto content = images.bytes();
      Words memory = model.at(name);
      const size_t bytes = (memory.width + 7) / 8;
      if (content.size() != bytes * memory.depth) fail("memory " + name + " has another size");
      for (size_t n = 0; n < memory.depth; n++) memory.write(&content[n * bytes], n);
    }
    load = images.bytes();
    sample = this->job.word();
    limit = this->job.word();
    timesteps = this->job.word();
    classes = this->job.word();
    counters = this->job.word();
    for (size_t count = this->job.word(); count; count--) layers.push_back(layer());
    for (size_t count = this->job.word(); count; count--) {
      Field field;
      field.port = model.at("host_" + this->job.string());
      field.bytes = (field.port.width + 7) / 8;
      beat_bytes += field.bytes;
      fields.push_back(field);
    }
    const std::string waveform = this->job.string();
    if (!waveform.empty()) model.record(waveform);
    clk = model.at("clk");
    valid = model.at("host_in_valid");
    ready = model.at("host_in_ready");
    out_valid = model.at("out_valid");
    out_ready = model.at("host_out_ready");
    index = model.at("out_index");
    score = model.at("out_score");
    winner = model.at("out_winner");
    out_last = model.at("out_last");
    clear = model.at("host_counter_clear");
    address = model.at("host_counter_address");
    read = model.at("host_counter_read");
    data = model.at("counter_data");
    counted = model.at("counter_valid");
  }

  void run() {
    clk.set(0);
    model.eval();
    load_weights();
    for (size_t count = job.word(); count; count--) {
      run_sample(job.bytes());
      sample++;
    }
  }

private:
  Layer layer() {
    Layer made;
    made.name = job.string();
    made.steps = job.word();
    made.units = job.word();
    made.member_bits = job.word();
    const std::string prefix = "layer" + std::to_string(layers.size()) + "_";
    made.valid = model.at(prefix + "valid");
    made.step = model.at(prefix + "step");
    made.end = model.at(prefix + "end");
    made.last = model.at(prefix + "last");
    made.spikes = model.at(prefix + "spikes");
    made.row = (made.units + 7) / 8;
    made.fired.resize(timesteps * made.steps * made.row);
    if (made.member_bits) {
      made.membranes = model.at(prefix + "membranes");
      made.seen.resize(timesteps * made.steps * made.units);
    }
    return made;
  }

  // The network's registers take what was set; outputs become those of the next cycle.
  void edge() {
    for (Layer &layer : layers)
      if (layer.valid.get()) observe(layer);
    clk.set(1);
    model.eval();
    clk.set(0);
    model.eval();
    if (++cycles > limit)
      fail("sample " + std::to_string(sample) + " has no result after " + std::to_string(limit) +
           " cycles, more than a sample can take: the design hangs");
  }

  void observe(Layer &layer) {
    const size_t step = layer.step.get();
    if (layer.timestep >= timesteps || step >= layer.steps)
      fail("layer " + layer.name + " swept more than " + std::to_string(timesteps) +
           " timesteps of " + std::to_string(layer.steps) + " steps in sample " +
           std::to_string(sample));
    const size_t place = layer.timestep * layer.steps + step;
    layer.spikes.read(&layer.fired[place * layer.row]);
    if (layer.member_bits) unpack(layer, &layer.seen[place * layer.units]);
    if (layer.end.get()) {
      layer.timestep++;
      if (layer.last.get()) {
        layer.timesteps = layer.timestep;
        layer.timestep = 0;
      }
    }
  }

  static void unpack(const Layer &layer, int64_t *to) {
    const size_t bits = layer.member_bits, unused = 64 - bits;
    for (size_t unit = 0; unit < layer.units; unit++) {
      const size_t low = unit * bits, first = low / 8, beyond = (low + bits + 7) / 8;
      unsigned __int128 word = 0;
      std::memcpy(&word, layer.membranes.bytes + first, beyond - first);
      to[unit] = int64_t(uint64_t(word >> low % 8) << unused) >> unused;
    }
  }

  void load_weights() {
    if (load.empty()) return;
    Words begin = model.at("host_load_begin"), valid = model.at("host_load_valid"),
          byte = model.at("host_load_byte"), loaded = model.at("loaded");
    begin.set(1);
    edge();
    begin.set(0);
    valid.set(1);
    for (const uint8_t content : load) {
      byte.set(content);
      cycles = 0;
      edge();
    }
    valid.set(0);
    do edge(); while (!loaded.get());
  }

  void run_sample(const std::vector<uint8_t> &beats) {
    cycles = 0;
    for (Layer &layer : layers) {
      std::fill(layer.fired.begin(), layer.fired.end(), 0);
      std::fill(layer.seen.begin(), layer.seen.end(), 0);
      layer.timestep = layer.timesteps = 0;
    }
    clear.set(1);
    out_ready.set(1);
    edge();
    clear.set(0);

    std::vector<int64_t> scores(classes);
    uint64_t prediction = 0;
    size_t sent = 0;
    bool answered = false;
    valid.set(1);
    offer(beats, sent);
    while (!answered || sent < beats.size()) {
      const bool taken = sent < beats.size() && ready.get();
      const bool offered = !answered && out_valid.get();
      if (offered) {
        if (index.get() >= classes) fail("a score is of class " + std::to_string(index.get()));
        scores[index.get()] = score.get_signed();
        prediction = winner.get();
        answered = out_last.get();
      }
      edge();
      if (taken) {
        sent += beat_bytes;
        if (sent < beats.size()) offer(beats, sent);
        else valid.set(0);
      }
      if (answered) out_ready.set(0);
    }

    put(&prediction, 8);
    put(scores.data(), 8 * classes);
    const auto words = read_counters();
    put(words.data(), 8 * counters);
    for (const Layer &layer : layers) {
      const uint64_t ran = layer.timesteps;
      put(&ran, 8);
      put(layer.fired.data(), layer.fired.size());
      put(layer.seen.data(), 8 * layer.seen.size());
    }
    std::fflush(stdout);
  }

  void offer(const std::vector<uint8_t> &beats, size_t place) {
    for (Field &field : fields) {
      field.port.write(&beats[place]);
      place += field.bytes;
    }
  }

  std::vector<uint64_t> read_counters() {
    std::vector<uint64_t> words(counters);
    // Words have their turns one a cycle and a read takes two, so every other one is next.
    for (size_t first = 0; first < 2; first++)
      for (size_t word = first; word < counters; word += 2) {
        address.set(word);
        read.set(1);
        do edge(); while (!counted.get());
        words[word] = data.get();
      }
    read.set(0);
    edge();
    return words;
  }

  static void put(const void *from, size_t bytes) {
    if (std::fwrite(from, 1, bytes, stdout) != bytes) fail("the result cannot be written");
  }

  Model model;
  Reader job;
  std::vector<uint8_t> load;
  size_t limit, timesteps, classes, counters, beat_bytes = 0, sample = 0, cycles = 0;
  std::vector<Layer> layers;
  std::vector<Field> fields;
  Words clk, valid, ready, out_valid, out_ready, index, score, winner, out_last, clear, address,
      read, data, counted;
};

int main(int argc, char **argv) {
  if (argc != 3) fail("usage: network MEMORIES JOB");
  Bench(argv[1], argv[2]).run();
}

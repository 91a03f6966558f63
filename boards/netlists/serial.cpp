// Speaks with a board's design over its two wires, turn by turn, and writes the answers to stdout.
//
//   serial JOB
//
// Behind what a Line begins with, the job has how many cycles an answer may take, and then turns:
// the bytes that are sent, and how many frames, each up to a 0, answer them. For each turn there
// comes out: cycles so far, how many bytes answered, the bytes. An answer that does not come in
// time ends the run.

static void write_word(uint64_t word) { std::fwrite(&word, 8, 1, stdout); }

int main(int, char **arguments) {
  Job job(arguments[1]);
  Line line(job);
  const uint64_t limit = job.word();
  while (!job.ended()) {
    for (const uint8_t byte : job.bytes()) line.send(byte);
    const size_t expected = job.word();
    size_t had = line.answer.size();
    size_t frames = std::count(line.answer.begin(), line.answer.end(), 0);
    for (uint64_t waited = 0; frames < expected && waited < limit; ++waited) {
      line.cycle(1);
      if (line.answer.size() > had) {
        had = line.answer.size(), waited = 0;
        frames += line.answer.back() == 0;
      }
    }
    const bool late = frames < expected;
    write_word(line.cycles);
    write_word(line.answer.size());
    std::fwrite(line.answer.data(), 1, line.answer.size(), stdout);
    std::fflush(stdout);
    line.answer.clear();
    if (late) break;
  }
}

// A board's design whose two wires end at stdin and stdout, which may be one terminal.
//
//   virtual JOB
//
// Behind what a Line begins with, the job has two numbers of cycles: how long nothing may happen on
// the wires before time stands still until the next byte comes, while the design is `active` and
// while it is not. Ends when stdin does, or at SIGTERM; then it writes to stderr how many cycles
// passed, how many bytes came, went, and were dropped because nobody read them.

#include <cerrno>
#include <csignal>
#include <deque>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

// Bytes that wait for somebody to read them, as in the buffer of a serial port.
static const size_t UNREAD = 1 << 16;
static const size_t PIECE = 256;

static volatile std::sig_atomic_t stopped = 0;

class Host {
public:
  Host() {
    for (const int end : {0, 1}) fcntl(end, F_SETFL, fcntl(end, F_GETFL) | O_NONBLOCK);
  }

  // Takes bytes and hands over bytes, as far as that is possible at once, or, if there is nothing
  // else to do, when it is; false if nobody will ever come again.
  bool exchange(bool wait) {
    pollfd ends[2] = {{0, POLLIN, 0}, {1, short(to_host.empty() ? 0 : POLLOUT), 0}};
    if (to_board.size() >= PIECE) ends[0].events = 0;
    if (poll(ends, 2, wait ? -1 : 0) < 0) {
      if (errno == EINTR) return true;
      fail(std::string("the terminal cannot be used: ") + std::strerror(errno));
    }
    if (ends[1].revents & POLLOUT) write_some();
    if (ends[0].revents & POLLIN) return read_some();
    return !(ends[0].revents & (POLLHUP | POLLERR | POLLNVAL));
  }

  void tell(const std::vector<uint8_t> &heard) {
    for (const uint8_t byte : heard)
      if (to_host.size() < UNREAD) to_host.push_back(byte);
      else ++dropped;
  }

  std::deque<uint8_t> to_board, to_host;
  uint64_t came = 0, went = 0, dropped = 0;

private:
  bool read_some() {
    uint8_t bytes[PIECE];
    const ssize_t count = read(0, bytes, PIECE);
    if (count < 0) return errno == EAGAIN || errno == EINTR;
    came += count;
    to_board.insert(to_board.end(), bytes, bytes + count);
    return count > 0;
  }

  void write_some() {
    const std::vector<uint8_t> bytes(to_host.begin(),
                                     to_host.begin() + std::min(PIECE, to_host.size()));
    const ssize_t count = write(1, bytes.data(), bytes.size());
    if (count <= 0) return;
    went += count;
    to_host.erase(to_host.begin(), to_host.begin() + count);
  }
};

int main(int, char **arguments) {
  struct sigaction action = {};
  action.sa_handler = [](int) { stopped = 1; };
  sigaction(SIGTERM, &action, nullptr);
  Job job(arguments[1]);
  Line line(job);
  const Words active = line.model.at("active");
  const uint64_t while_active = job.word(), otherwise = job.word();
  Host host;
  // The last cycle of a byte, and the last in which there was one or the design was active.
  uint64_t passed = line.cycles, moved = line.cycles;
  while (!stopped) {
    if (active.get()) moved = line.cycles;
    const bool still =
        line.cycles - passed >= while_active || line.cycles - moved >= otherwise;
    if (!host.exchange(still && host.to_board.empty())) break;
    if (!host.to_board.empty()) {
      line.send(host.to_board.front());
      host.to_board.pop_front();
      passed = moved = line.cycles;
    } else if (!still) {
      line.rest();
    }
    if (!line.answer.empty()) {
      host.tell(line.answer);
      line.answer.clear();
      passed = moved = line.cycles;
    }
  }
  std::fprintf(stderr, "%llu %llu %llu %llu\n", (unsigned long long)line.cycles,
               (unsigned long long)host.came, (unsigned long long)host.went,
               (unsigned long long)host.dropped);
}

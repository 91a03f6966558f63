// A pin that is only driven.
module TRELLIS_IO_OUTPUT (input I, T, output B);
    assign B = T ? 1'bz : I;
endmodule

// A pin that is only read: a port that goes in may not join an inout, Verilator says.
module TRELLIS_IO_INPUT (input B, output O);
    assign O = B;
endmodule

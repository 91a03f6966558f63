// A look-up table: Z is the bit of INIT that the inputs number, D its most significant bit.
module LUT4 (input A, B, C, D, output Z);
    parameter [15:0] INIT = 16'h0000;
    assign Z = INIT[{D, C, B, A}];
endmodule

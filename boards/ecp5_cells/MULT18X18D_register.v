// A register that a stage of MULT18X18D may have; CLK "NONE" leaves it out.
module MULT18X18D_register #(
    parameter WIDTH = 1,
    parameter CLK = "NONE",
    parameter CE = "CE0",
    parameter RST = "RST0",
    parameter RESETMODE = "SYNC"
) (
    input [3:0] clocks, enables, resets, input GSRN,
    input [WIDTH-1:0] d, output [WIDTH-1:0] q
);
    wire clock = clocks[CLK == "CLK3" ? 3 : CLK == "CLK2" ? 2 : CLK == "CLK1" ? 1 : 0];
    wire enable = enables[CE == "CE3" ? 3 : CE == "CE2" ? 2 : CE == "CE1" ? 1 : 0];
    wire reset = resets[RST == "RST3" ? 3 : RST == "RST2" ? 2 : RST == "RST1" ? 1 : 0];
    reg [WIDTH-1:0] held;
    initial held = 0;
    generate
        if (CLK == "NONE") begin : open
            assign q = d;
        end else if (RESETMODE == "ASYNC") begin : at_once
            wire resetn = GSRN && !reset;
            always @(posedge clock or negedge resetn)
                if (!resetn) held <= 0;
                else if (enable) held <= d;
            assign q = held;
        end else begin : at_the_clock
            always @(posedge clock or negedge GSRN)
                if (!GSRN) held <= 0;
                else if (reset) held <= 0;
                else if (enable) held <= d;
            assign q = held;
        end
    endgenerate
endmodule
